/** A small IAM evaluator over synthesized templates: what may a role do? */
import type { Template } from 'aws-cdk-lib/assertions';
import * as v from 'valibot';

const oneOrMany = v.pipe(
  v.union([v.array(v.unknown()), v.unknown()]),
  v.transform((value): unknown[] => (Array.isArray(value) ? value : [value])),
);
const conditionSchema = v.record(v.string(), v.record(v.string(), oneOrMany));
const policySchema = v.object({
  PolicyDocument: v.object({
    Statement: v.array(
      v.object({
        Effect: v.picklist(['Allow', 'Deny']),
        Action: oneOrMany,
        Resource: oneOrMany,
        Condition: v.optional(conditionSchema, {}),
      }),
    ),
  }),
  Roles: v.array(v.object({ Ref: v.string() })),
});

/** What a request says beside action and resource, such as `dynamodb:LeadingKeys`. */
export type RequestContext = Readonly<Record<string, readonly string[]>>;
/** Patterns of a condition, by operator and by key of the request's context. */
type Conditions = Readonly<Record<string, RequestContext>>;

export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: Conditions;
}

/** Every statement of the inline policies of the roles whose logical id starts with `rolePrefix`. */
export function statementsOf(template: Template, rolePrefix: string): Statement[] {
  const policies = Object.values(template.findResources('AWS::IAM::Policy')).map(({ Properties }) =>
    v.parse(policySchema, Properties),
  );
  return policies
    .filter(({ Roles }) => Roles.some(({ Ref }) => Ref.startsWith(rolePrefix)))
    .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
    .map(({ Effect, Action, Resource, Condition }) => ({
      effect: Effect,
      actions: Action.map(String),
      resources: Resource.map(nameOf),
      conditions: mapValues(Condition, (keys) => mapValues(keys, (patterns) => patterns.map(nameOf))),
    }));
}

/** True when a statement allows the action on the resource in this context and none denies it. */
export function isAllowed(
  statements: readonly Statement[],
  action: string,
  resource: string,
  context: RequestContext = {},
): boolean {
  const matching = statements.filter(
    ({ actions, resources, conditions }) =>
      actions.some((pattern) => matches(pattern, action)) &&
      resources.some((pattern) => matches(pattern, resource)) &&
      holds(conditions, context),
  );
  return matching.some(({ effect }) => effect === 'Allow') && matching.every(({ effect }) => effect === 'Allow');
}

/** How many of a key's values must match one of the patterns; without the key `every` is true and `some` is false. */
const OPERATORS: Readonly<Record<string, 'every' | 'some'>> = {
  'ForAllValues:StringLike': 'every',
  ArnEquals: 'some',
  ArnLike: 'some',
  StringEquals: 'some',
  StringLike: 'some',
  Bool: 'some',
};

/** @throws for an operator that is not known here */
function holds(conditions: Conditions, context: RequestContext): boolean {
  return Object.entries(conditions).every(([operator, keys]) => {
    const howMany = OPERATORS[operator];
    if (howMany === undefined) throw new Error(`Not an operator of this evaluator: ${operator}`);
    return Object.entries(keys).every(([key, patterns]) => {
      const values = context[key] ?? [];
      return values[howMany]((value) => patterns.some((pattern) => matches(pattern, value)));
    });
  });
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** Text of a template value: references become `<Id>`, attributes and imports `<IdAttribute>`, without CDK's hashes. */
export function nameOf(value: unknown): string {
  if (typeof value !== 'object') return String(value);
  const result = v.safeParse(v.record(v.string(), v.unknown()), value);
  const [kind, argument] = result.success ? (Object.entries(result.output)[0] ?? []) : [];
  switch (kind) {
    case 'Ref':
    case 'Fn::GetAtt':
      return `<${withoutHash(String(argument))}>`;
    case 'Fn::ImportValue':
      return `<${withoutHash(String(argument).replace(/^.*:ExportsOutput(Ref|FnGetAtt)/, ''))}>`;
    case 'Fn::Sub':
      return String(argument);
    case 'Fn::Join':
      return v
        .parse(v.tuple([v.string(), v.array(v.unknown())]), argument)[1]
        .map(nameOf)
        .join('');
    default:
      throw new Error(`Not a template value: ${JSON.stringify(value)}`);
  }
}

function withoutHash(id: string): string {
  return id.replaceAll(/[0-9A-F]{8}/g, '').replaceAll(',', '');
}

function matches(pattern: string, text: string): boolean {
  const source = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('\\*', '.*');
  return new RegExp(`^${source}$`).test(text);
}
