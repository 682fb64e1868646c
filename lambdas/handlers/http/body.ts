/** Bodies of the HTTP API: their size, their type, their depth, and what a schema says of them (RFC 8259, RFC 9457). */
import * as v from 'valibot';
import { Problem, type ProblemError, pointerOf } from '#core/problem.ts';
import type { ApiRequest } from './request.ts';
import type { Schema } from './route.ts';

export const MAX_BODY_BYTES = 1024 * 1024;
const MAX_DEPTH = 16;
const MAX_ERRORS = 20;
const JSON_TYPE = /^application\/(?:json|[a-z0-9.+-]+\+json)\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

/** @throws {Problem} 413, 415, 400 with a pointer to each member that is wrong */
export function readBody(request: Pick<ApiRequest, 'body' | 'headers'>, schema: Schema): unknown {
  const { body, headers } = request;
  if (body.length > MAX_BODY_BYTES) throw new Problem(413, `A body has ${MAX_BODY_BYTES} bytes at most.`);
  const type = headers['content-type'];
  if (body.length > 0 && type !== undefined && !JSON_TYPE.test(type)) {
    throw new Problem(415, 'A body is application/json here.', { accept: 'application/json' });
  }
  const value = body.length === 0 ? undefined : parseJson(body);
  const result = v.safeParse(schema, value);
  const errors = result.success ? unknownMembers(value, result.output, []) : result.issues.map(errorOf);
  if (result.success && errors.length === 0) return result.output;
  const detail = value === undefined ? 'A body is missing.' : 'The body is not as it should be.';
  throw new Problem(400, detail, {}, errors.slice(0, MAX_ERRORS));
}

function parseJson(body: Buffer): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    if (depthOf(text) <= MAX_DEPTH) return JSON.parse(text);
  } catch {
    throw new Problem(400, 'The body is no JSON in UTF-8.');
  }
  throw new Problem(400, `The body is nested deeper than ${MAX_DEPTH} levels.`);
}

/** How deep arrays and objects stand in each other, before anything is made of them. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isInText = !isInText;
    else if (isInText) at += character === '\\' ? 1 : 0;
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth--;
  }
  return deepest;
}

function errorOf(issue: v.BaseIssue<unknown>): ProblemError {
  const path = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
  return { pointer: pointerOf(path), detail: detailOf(issue) };
}

/** What was received is left out: it may be a secret. */
function detailOf({ message, expected, received }: v.BaseIssue<unknown>): string {
  if (received === 'undefined') return 'is missing';
  return message.startsWith('Invalid ') ? `is not ${expected ?? 'right'}` : message;
}

/** What the schema did not take: members that are not known there. */
export function unknownMembers(given: unknown, taken: unknown, path: readonly (string | number)[]): ProblemError[] {
  if (Array.isArray(given) && Array.isArray(taken)) {
    return given.flatMap((each, index) => unknownMembers(each, taken[index], [...path, index]));
  }
  // To the schema library an array is an object, too.
  if (Array.isArray(given) && isObject(taken)) return [{ pointer: pointerOf(path), detail: 'is not an object' }];
  if (!isObject(given) || !isObject(taken)) return [];
  return Object.entries(given).flatMap(([name, value]) =>
    Object.hasOwn(taken, name)
      ? unknownMembers(value, taken[name], [...path, name])
      : [{ pointer: pointerOf([...path, name]), detail: 'is not known here' }],
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
