/** A small IAM evaluator over synthesized templates: what may a role do? */
import type { Template } from 'aws-cdk-lib/assertions';
import * as v from 'valibot';

const oneOrMany = v.pipe(
  v.union([v.array(v.unknown()), v.unknown()]),
  v.transform((value): unknown[] => (Array.isArray(value) ? value : [value])),
);
const policySchema = v.object({
  PolicyDocument: v.object({
    Statement: v.array(
      v.object({
        Effect: v.picklist(['Allow', 'Deny']),
        Action: oneOrMany,
        Resource: oneOrMany,
        Condition: v.optional(v.unknown()),
      }),
    ),
  }),
  Roles: v.array(v.object({ Ref: v.string() })),
});

export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly hasCondition: boolean;
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
      hasCondition: Condition !== undefined,
    }));
}

/** True when a statement allows the action on the resource and none without a condition denies it. */
export function isAllowed(statements: readonly Statement[], action: string, resource: string): boolean {
  const matching = statements.filter(
    ({ actions, resources }) =>
      actions.some((pattern) => matches(pattern, action)) && resources.some((pattern) => matches(pattern, resource)),
  );
  const isDenied = matching.some(({ effect, hasCondition }) => effect === 'Deny' && !hasCondition);
  return !isDenied && matching.some(({ effect }) => effect === 'Allow');
}

/** Text of a template value: references become `<Id>`, attributes and imports `<IdAttribute>`, without CDK's hashes. */
export function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
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
