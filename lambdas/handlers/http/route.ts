/** Route: one path and method of the HTTP API, with the schemas that check it and describe it (OpenAPI). */
import type * as v from 'valibot';
import type { Caller, RoutePermission } from '#core/api-key.ts';
import type { Address } from '#core/identity.ts';
import type { Precondition } from '#core/precondition.ts';
import type { Tenant } from '#table/tenant-item.ts';
import type { ApiPorts } from './ports.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';
export type Schema = v.GenericSchema;

/** Names of the placeholders in a template; `{name+}` takes what follows too, slashes and all. */
export type PlaceholdersOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `${infer Bare}+` ? Bare : Name) | PlaceholdersOf<Rest>
  : never;

/** What a route is asked. Everything in it has been checked. */
export interface Context<Names extends string = string, Query = unknown, Body = unknown> {
  readonly ports: ApiPorts;
  readonly caller: Caller;
  /** The tenant that the path names and that exists; see {@link tenantOf}. */
  readonly tenant: Tenant | undefined;
  /** What stands in the path at the placeholders. */
  readonly names: Readonly<Record<Names, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly precondition: Precondition;
  /** The whole path, such as `/v1/tenants/a.example/users/1001`. */
  readonly path: string;
  /** Collection and names, which a cursor of this route must come from. */
  readonly place: string;
  readonly requestId: string;
  readonly nowMs: number;
}

export interface Answer {
  /** 200 without it, 204 when there is no body either. */
  readonly status?: number;
  readonly body?: unknown;
  /** Of the resource; the router makes the header field of it, and 304. */
  readonly etag?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of `body`: another type, such as JSON lines. */
  readonly text?: { readonly type: string; readonly value: string };
}

export interface Route {
  readonly method: Method;
  /** Without `/v1`. */
  readonly path: string;
  /** Name of the operation in the description: `listUsers`. */
  readonly name: string;
  readonly summary: string;
  /** Several sentences, where the summary does not say all. */
  readonly description?: string;
  /** Undefined: no key is asked for. */
  readonly permission: RoutePermission | undefined;
  /** A tenant's own key is not enough (403). */
  readonly operatorOnly?: boolean;
  /** The tenant of the path need not exist: the route creates it, or looks itself. */
  readonly anyTenant?: boolean;
  /** It answers for a tenant that is being removed, too. */
  readonly whileRemoved?: boolean;
  /** Parameters of the query, by name. */
  readonly query?: v.ObjectSchema<v.ObjectEntries, undefined>;
  readonly body?: Schema;
  /** Answers of success, by status; null: without a body. */
  readonly success: Readonly<Partial<Record<number, Schema | null>>>;
  /** The type of the success, where it is not JSON. */
  readonly successType?: string;
  /** Refusals besides those that every route has. */
  readonly refusals?: readonly (400 | 403 | 404 | 409 | 412 | 503)[];
  readonly answer: (context: Context) => Promise<Answer>;
}

type QueryOf<Q> = Q extends v.GenericSchema ? v.InferOutput<Q> : Record<string, never>;
type BodyOf<B> = B extends v.GenericSchema ? v.InferOutput<B> : undefined;

type Typed<Path extends string, Q, B> = Omit<Route, 'path' | 'query' | 'body' | 'answer'> & {
  readonly path: Path;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: (context: Context<PlaceholdersOf<Path>, QueryOf<Q>, BodyOf<B>>) => Promise<Answer>;
};

/** A route whose answer knows the types of its own placeholders, query and body. */
export function route<
  const Path extends string,
  Q extends v.ObjectSchema<v.ObjectEntries, undefined> | undefined = undefined,
  B extends Schema | undefined = undefined,
>(description: Typed<Path, Q, B>): Route {
  // The router hands over what these schemas have made of the request.
  return description as unknown as Route;
}

/** The tenant of a route below `/tenants/{tenant}/`. */
export function tenantOf({ tenant }: Pick<Context, 'tenant'>): Tenant {
  if (tenant === undefined) throw new Error('This route is under no tenant');
  return tenant;
}

/** Whom the path names: `user` at the tenant. */
export function userAddressOf(context: Pick<Context<'user', unknown, unknown>, 'tenant' | 'names'>): Address {
  return { domain: tenantOf(context).domain, user: context.names.user };
}
