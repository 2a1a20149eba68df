// JSON values as google.protobuf.Value has them, which is how arguments and results of calls travel.

/**
 * @param {any} value A JSON value; tasks in it, at any depth, become references to them.
 * @param {(value: any) => any} [replace] Puts another value in a value's place, before anything else.
 * @returns {object} A google.protobuf.Value.
 */
export function toValue(value, replace = (same) => same) {
  value = replace(value);
  if (value === null || value === undefined) return { nullValue: 'NULL_VALUE' };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (Array.isArray(value)) return { listValue: toList(value, replace) };
  if (typeof value === 'object') return { structValue: toStruct(value, replace) };
  throw new TypeError(`JSON has no ${typeof value}; send it as a string or a number`);
}

/** @param {any[]} values @param {(value: any) => any} [replace] */
export function toList(values, replace) {
  return { values: values.map((value) => toValue(value, replace)) };
}

/** @param {Record<string, any>} object @param {(value: any) => any} [replace] */
export function toStruct(object, replace) {
  return { fields: Object.fromEntries(Object.entries(object).map(([name, value]) => [name, toValue(value, replace)])) };
}

/**
 * @param {any} value A google.protobuf.Value.
 * @returns {any} The JSON value.
 */
export function fromValue(value) {
  switch (value.kind) {
    case 'nullValue':
      return null;
    case 'listValue':
      return value.listValue.values.map(fromValue);
    case 'structValue':
      return fromStruct(value.structValue);
    default:
      return value[value.kind];
  }
}

/** @param {any} struct A google.protobuf.Struct. @returns {Record<string, any>} */
export function fromStruct(struct) {
  return Object.fromEntries(Object.entries(struct.fields).map(([name, value]) => [name, fromValue(value)]));
}
