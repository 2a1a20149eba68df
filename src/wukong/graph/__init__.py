"""Dask graphs in Wukong's own form: conversion, order, pages, and the programs that tasks run. Pure: no I/O."""
