/** Our schemas as JSON Schema (2020-12), for the description of the API. */
import { toJsonSchema } from '@valibot/to-json-schema';
import type { Schema } from './route.ts';

export type JsonSchema = ReturnType<typeof toJsonSchema>;

/** @param isClosed members that are not named are refused, as they are in bodies */
export function schemaOf(schema: Schema, isClosed = false): JsonSchema {
  const { $schema: _dialect, ...rest } = toJsonSchema(schema, {
    target: 'draft-2020-12',
    // Checks that JSON Schema cannot say are said in descriptions.
    errorMode: 'ignore',
    overrideSchema({ valibotSchema, jsonSchema }) {
      if (isClosed && valibotSchema.type === 'object') return { ...jsonSchema, additionalProperties: false };
      return valibotSchema.type === 'union' ? withoutAnything(jsonSchema) : undefined;
    },
  });
  return rest;
}

/** A choice that takes anything, because what is wrong in it is answered for itself, says nothing of what is right. */
function withoutAnything(jsonSchema: JsonSchema): JsonSchema {
  const known = jsonSchema.anyOf?.filter((each) => typeof each === 'boolean' || Object.keys(each).length > 0);
  if (known?.length === jsonSchema.anyOf?.length) return jsonSchema;
  const [only] = known ?? [];
  return known?.length === 1 && typeof only === 'object' ? only : { ...jsonSchema, anyOf: known };
}
