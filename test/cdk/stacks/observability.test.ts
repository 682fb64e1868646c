import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { ROOT } from '#cdk/dist.ts';
import { ALARM_NAMES, ALARMS, RUNBOOK, WATCHED_FUNCTIONS } from '#cdk/stacks/alarm-list.ts';
import { FUNCTION_NAMES } from '#cdk/system.ts';
import { METRICS } from '#core/metric.ts';
import { synthesize } from './deployment.ts';

const NAMED = { domainName: 'blf.example.com' };
const dev = synthesize(NAMED).observability;
const prod = synthesize({ ...NAMED, stage: 'prod', alarmTarget: 'ops@example.com' }).observability;

interface Alarm {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly Threshold: number;
  readonly AlarmActions?: unknown[];
  readonly OKActions?: unknown[];
  readonly TreatMissingData: string;
  readonly ComparisonOperator: string;
  readonly Metrics?: readonly { readonly MetricStat?: unknown }[];
}
const alarmsOf = (template: Template): Alarm[] =>
  Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);
const alarmOf = (template: Template, name: string) =>
  alarmsOf(template).find(({ AlarmName }) => AlarmName.endsWith(`-${name}`));
const dashboardOf = (template: Template): string =>
  JSON.stringify(Object.values(template.findResources('AWS::CloudWatch::Dashboard')));

describe('alarms', () => {
  it('stand in every stage under their names, and lead to the runbook', () => {
    for (const [template, stage] of [
      [dev, 'dev'],
      [prod, 'prod'],
    ] as const) {
      const names = alarmsOf(template).map(({ AlarmName }) => AlarmName);
      expect(names.toSorted()).toEqual(ALARM_NAMES.map((name) => `lampfield-${stage}-${name}`).toSorted());
      for (const name of ALARM_NAMES) {
        const text = `${ALARMS[name].what} What to do: ${RUNBOOK}#${name}`;
        expect(alarmOf(template, name)?.AlarmDescription).toBe(text);
      }
    }
  });

  it('have a section in the runbook each, and each section there has its alarm', () => {
    const text = readFileSync(join(ROOT, RUNBOOK), 'utf8');
    const [, alarms = ''] = /\n## Alarms\n([\s\S]*?)\n## /.exec(text) ?? [];
    const sections = [...alarms.matchAll(/^### (.+)$/gm)].map(([, name]) => name);
    expect(sections.toSorted()).toEqual(ALARM_NAMES.toSorted());
    const anchors = new Set([...text.matchAll(/^#{2,3} (.+)$/gm)].map(([, title = '']) => anchorOf(title)));
    const links = [...text.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor = '']) => anchor);
    expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([]);
  });

  it('tell nobody unless there is a target: an address gets a topic of its own, a topic is taken as it is', () => {
    expect(alarmsOf(dev).flatMap(({ AlarmActions = [] }) => AlarmActions)).toEqual([]);
    prod.hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: 'ops@example.com' });
    for (const { AlarmActions, OKActions } of alarmsOf(prod)) {
      expect(AlarmActions).toHaveLength(1);
      expect(OKActions).toEqual(AlarmActions);
    }
    const arn = 'arn:aws:sns:eu-central-1:123456789012:pager';
    const paged = synthesize({ alarmTarget: arn }).observability;
    paged.resourceCountIs('AWS::SNS::Topic', 0);
    expect(alarmOf(paged, 'lamps-late')?.AlarmActions).toEqual([arn]);
  });

  it('are stricter in prod, and hold what is promised: a lamp within three seconds', () => {
    expect([alarmOf(dev, 'lamps-late')?.Threshold, alarmOf(prod, 'lamps-late')?.Threshold]).toEqual([6_000, 3_000]);
    for (const { AlarmName, Threshold, ComparisonOperator } of alarmsOf(prod)) {
      const name = AlarmName.replace('lampfield-prod-', '');
      if (ComparisonOperator === 'LessThanThreshold' || ['gateways-full', 'send-backlog'].includes(name)) continue;
      expect(Threshold, name).toBeLessThanOrEqual(alarmOf(dev, name)?.Threshold ?? 0);
    }
  });

  it('of what should speak every minute take silence for bad', () => {
    for (const name of ['canary-failed', 'expiry-stopped', 'gateways-few', 'gateways-unready'])
      expect(alarmOf(prod, name)?.TreatMissingData).toBe('breaching');
    expect(alarmOf(prod, 'lamps-late')?.TreatMissingData).toBe('notBreaching');
  });

  it('do not wait for a canary that does not run', () => {
    const names = alarmsOf(synthesize().observability).map(({ AlarmName }) => AlarmName);
    expect(names.filter((name) => name.includes('canary'))).toEqual([]);
    expect(names).toHaveLength(ALARM_NAMES.length - 2);
  });

  it('look after every function, and each at no more metrics than an alarm takes', () => {
    expect([...WATCHED_FUNCTIONS, 'canary'].toSorted()).toEqual(FUNCTION_NAMES.toSorted());
    for (const { Metrics = [] } of alarmsOf(prod))
      expect(Metrics.filter(({ MetricStat }) => MetricStat !== undefined).length).toBeLessThanOrEqual(10);
    expect(JSON.stringify(alarmOf(prod, 'stream-late'))).toMatch(
      /"MetricName":"IteratorAge","Namespace":"AWS\/Lambda"/,
    );
  });
});

describe('the dashboard', () => {
  it('shows every metric that the system counts: none is counted for nobody', () => {
    const shown = new Set([...dashboardOf(prod).matchAll(/Lampfield\\+",\\+"(\w+)/g)].map(([, name]) => name));
    expect([...shown].toSorted()).toEqual(Object.keys(METRICS).toSorted());
  });

  it('asks for them by the dimensions that they are told with', () => {
    const text = dashboardOf(prod).replaceAll('\\', '');
    for (const [name, { service }] of Object.entries(METRICS))
      expect(text).toMatch(new RegExp(`"Lampfield","${name}","Service","${service}","Stage","lampfield-prod"`));
  });

  it('shows what is paid for, and the alarms', () => {
    const text = dashboardOf(prod);
    for (const name of ['ConsumedWriteCapacityUnits', 'ProcessedBytes', 'Invocations', 'Duration', 'IteratorAge'])
      expect(text).toContain(name);
    expect(text).toContain('lampslate');
  });
});

const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(' ', '-')
    .replaceAll(/[^\w-]/g, '');
