/** Messages made of a schema: every optional field, every kind of a variant and every choice stands in one of them. */
import type * as v from 'valibot';

type Schema = v.GenericSchema & {
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly wrapped?: Schema;
  readonly item?: Schema;
  readonly items?: readonly Schema[];
  readonly value?: Schema;
  readonly literal?: unknown;
  readonly options?: readonly unknown[];
  readonly pipe?: readonly (Schema | v.PipeAction<unknown, unknown, v.BaseIssue<unknown>>)[];
};

/** More than any list of choices is long. */
const ROUNDS = 20;

/** Whole messages, and at last one with nothing that may be left out; none twice. */
export function examplesOf(schema: v.GenericSchema): unknown[] {
  const whole = Array.from({ length: ROUNDS }, (_, round) => exampleOf(schema as Schema, round));
  const texts = [...whole, exampleOf(schema as Schema, undefined)].map((example) => JSON.stringify(example));
  return [...new Set(texts)].map((text): unknown => JSON.parse(text));
}

/** @param round chooses among what may stand here; undefined leaves out what may be left out */
function exampleOf(given: Schema, round: number | undefined): unknown {
  const schema = lastSchemaOf(given);
  const choice = (options: readonly unknown[]): unknown => options[(round ?? 0) % options.length];
  switch (schema.type) {
    case 'object':
    case 'strict_object':
      return objectOf(schema, round);
    case 'optional':
      return round === undefined || schema.wrapped === undefined ? undefined : exampleOf(schema.wrapped, round);
    case 'array':
      return arrayOf(schema.item, round);
    case 'tuple':
    case 'strict_tuple':
      return (schema.items ?? []).map((item) => exampleOf(item, round));
    case 'record':
      return schema.value === undefined ? {} : { 'demo.example': exampleOf(schema.value, round) };
    case 'variant':
    case 'union':
      return exampleOf(choice(schema.options ?? []) as Schema, round);
    case 'picklist':
      return choice(schema.options ?? []);
    case 'literal':
      return schema.literal;
    case 'string':
      return 'text';
    case 'number':
      return 200;
    case 'boolean':
      return round !== undefined && round % 2 === 0;
    default:
      throw new Error(`no example of ${schema.type}`);
  }
}

function objectOf({ entries = {} }: Schema, round: number | undefined): Record<string, unknown> {
  const fields = Object.entries(entries).map(([name, schema]) => [name, exampleOf(schema, round)] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

/** Of a variant one of each kind; otherwise one. */
function arrayOf(item: Schema | undefined, round: number | undefined): unknown[] {
  if (item === undefined) return [];
  const { type, options = [] } = lastSchemaOf(item);
  if (type !== 'variant') return [exampleOf(item, round)];
  return options.map((option) => exampleOf(option as Schema, round));
}

/** What comes out of a pipe is what its last schema says. */
function lastSchemaOf(schema: Schema): Schema {
  const schemas = (schema.pipe ?? []).filter((each): each is Schema => each.kind === 'schema' && each !== schema);
  const last = schemas.at(-1);
  return last === undefined || last.pipe === schema.pipe ? schema : lastSchemaOf(last);
}
