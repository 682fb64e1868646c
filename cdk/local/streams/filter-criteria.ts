/** Lambda's event filter patterns: which stream records reach the function. Pure. */

/** Nested fields whose leaves are arrays of alternatives, such as `{dynamodb: {Keys: {SK: {S: ['STATE']}}}}`. */
export interface FilterPattern {
  readonly [field: string]: FilterPattern | readonly unknown[];
}

type NumericTest = (value: number, bound: number) => boolean;
const NUMERIC_TESTS: Readonly<Record<string, NumericTest>> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

/** True when every field of the pattern matches; `$or` needs one of its patterns to match. */
export function matchesFilter(pattern: FilterPattern, event: unknown): boolean {
  return Object.entries(pattern).every(([field, rule]) => {
    if (field === '$or') return (rule as readonly FilterPattern[]).some((one) => matchesFilter(one, event));
    const value = isObject(event) ? event[field] : undefined;
    return isAlternatives(rule) ? rule.some((one) => matchesRule(one, value)) : matchesFilter(rule, value);
  });
}

/** A value that is a list matches when one of its elements does. */
function matchesRule(rule: unknown, value: unknown): boolean {
  if (isObject(rule))
    return Object.entries(rule).every(([operator, operand]) => matchesOperator(operator, operand, value));
  return valuesOf(value).includes(rule);
}

function matchesOperator(operator: string, operand: unknown, value: unknown): boolean {
  const texts = valuesOf(value).filter((one) => typeof one === 'string');
  switch (operator) {
    case 'exists':
      return (value !== undefined) === operand;
    case 'prefix':
      return texts.some((text) => text.startsWith(String(operand)));
    case 'suffix':
      return texts.some((text) => text.endsWith(String(operand)));
    case 'equals-ignore-case':
      return texts.some((text) => text.toLowerCase() === String(operand).toLowerCase());
    case 'anything-but':
      return value !== undefined && !valuesOf(operand).some((one) => matchesRule(one, value));
    case 'numeric':
      return valuesOf(value).some((one) => typeof one === 'number' && matchesNumeric(valuesOf(operand), one));
    default:
      throw new Error(`filter operator ${operator} is not known`);
  }
}

/** @param tests pairs in one list, such as `['>', 0, '<=', 5]` */
function matchesNumeric(tests: readonly unknown[], value: number): boolean {
  return tests.every(
    (operator, index) => index % 2 === 1 || NUMERIC_TESTS[String(operator)]?.(value, Number(tests[index + 1])),
  );
}

const valuesOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);
const isAlternatives = (rule: FilterPattern | readonly unknown[]): rule is readonly unknown[] => Array.isArray(rule);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
