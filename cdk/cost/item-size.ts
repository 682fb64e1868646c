/** Size of an item as DynamoDB counts it: names and values in UTF-8, and some bytes for each number, list and map. Pure. */

/** An attribute in the words of the wire, `{ S: 'text' }`. */
type Attribute = object;

const CONTAINER_BYTES = 3;
const ELEMENT_BYTES = 1;

export function itemBytes(item: Readonly<Record<string, Attribute>>): number {
  return sum(Object.entries(item).map(([name, value]) => Buffer.byteLength(name) + valueBytes(value)));
}

function valueBytes(attribute: Attribute): number {
  const [[type, value] = ['NULL', true]] = Object.entries(attribute);
  if (typeof value === 'boolean') return 1;
  if (typeof value === 'string') return type === 'N' ? numberBytes(value) : Buffer.byteLength(value);
  if (Array.isArray(value)) return CONTAINER_BYTES + sum(value.map((each) => ELEMENT_BYTES + elementBytes(each)));
  if (typeof value !== 'object' || value === null) return 1;
  const entries = Object.entries(value as Readonly<Record<string, Attribute>>);
  return (
    CONTAINER_BYTES + sum(entries.map(([name, each]) => ELEMENT_BYTES + Buffer.byteLength(name) + valueBytes(each)))
  );
}

/** Sets hold bare text, lists hold attributes. */
const elementBytes = (element: unknown): number =>
  typeof element === 'string' ? Buffer.byteLength(element) : valueBytes(element as Attribute);

/** Two digits a byte, and one for sign and exponent. */
const numberBytes = (text: string): number => Math.ceil(text.replaceAll(/[^0-9]|^0+|0+$/g, '').length / 2) + 1;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
