/** Finds the route of a path: templates are read once, literal parts before placeholders. */
import { Problem } from '#core/problem.ts';
import type { ApiRequest } from './request.ts';
import type { Route } from './route.ts';

type Part =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'name' | 'rest'; readonly name: string };

interface Place {
  readonly path: string;
  readonly parts: readonly Part[];
  readonly routes: ReadonlyMap<string, Route>;
}

export interface Found {
  readonly route: Route;
  readonly names: Readonly<Record<string, string>>;
}

export interface RouteTable {
  readonly routes: readonly Route[];
  /** @throws {Problem} 404, 405 with Allow */
  find(request: Pick<ApiRequest, 'method' | 'path'>): Found;
}

export function openRouteTable(routes: readonly Route[]): RouteTable {
  const byPath = Map.groupBy(routes, ({ path }) => path);
  const places = [...byPath].map(([path, own]): Place => {
    const byMethod = new Map(own.map((each) => [each.method as string, each]));
    if (byMethod.size < own.length) throw new Error(`${path} has a method twice`);
    return { path, parts: partsOf(path), routes: byMethod };
  });
  const inOrder = places.toSorted((left, right) => comparePaths(left.parts, right.parts));
  return {
    routes,
    find({ method, path }) {
      for (const place of inOrder) {
        const names = namesIn(place.parts, path);
        if (names) return { route: methodOf(place, method), names };
      }
      throw new Problem(404, 'There is nothing here.');
    },
  };
}

function partsOf(path: string): Part[] {
  return path
    .slice(1)
    .split('/')
    .map((text): Part => {
      const [, name, rest] = /^\{(\w+)(\+?)\}$/.exec(text) ?? [];
      if (name === undefined) return { kind: 'literal', text };
      return { kind: rest ? 'rest' : 'name', name };
    });
}

const ORDER = { literal: 0, name: 1, rest: 2 } as const;

function comparePaths(left: readonly Part[], right: readonly Part[]): number {
  const length = Math.max(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const difference = orderOf(left[at]) - orderOf(right[at]);
    if (difference !== 0) return difference;
  }
  return 0;
}

const orderOf = (part: Part | undefined): number => (part === undefined ? -1 : ORDER[part.kind]);

/** @returns undefined when the path does not fit */
function namesIn(parts: readonly Part[], path: readonly string[]): Record<string, string> | undefined {
  const names: Record<string, string> = {};
  for (const [at, part] of parts.entries()) {
    const text = path[at];
    if (text === undefined) return undefined;
    if (part.kind === 'rest') return { ...names, [part.name]: path.slice(at).join('/') };
    if (part.kind === 'literal' && part.text !== text) return undefined;
    if (part.kind === 'name') names[part.name] = text;
  }
  return path.length === parts.length ? names : undefined;
}

function methodOf({ routes }: Place, method: string): Route {
  const found = routes.get(method === 'HEAD' ? 'GET' : method);
  if (found) return found;
  const allow = [...routes.keys()].flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each])).join(', ');
  throw new Problem(405, `Only ${allow} here.`, { allow });
}
