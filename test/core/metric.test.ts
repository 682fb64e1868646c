import { describe, expect, it } from 'vitest';
import { MAX_METRIC_VALUES, METRICS, MetricSample, metricLine } from '#core/metric.ts';

const T0 = 1_700_000_000_000;

describe('a line of metrics (CloudWatch embedded metric format)', () => {
  it('names namespace, dimensions and units, and has the values beside them', () => {
    const line = metricLine('lampfield-dev', 'gateway', { Flows: 3, LampMs: [12, 7.5] }, T0);
    expect(line.endsWith('}\n')).toBe(true);
    expect(line.trimEnd()).not.toContain('\n');
    const Metrics = [
      { Name: 'Flows', Unit: 'Count' },
      { Name: 'LampMs', Unit: 'Milliseconds' },
    ];
    expect(JSON.parse(line)).toEqual({
      _aws: {
        Timestamp: T0,
        CloudWatchMetrics: [{ Namespace: 'Lampfield', Dimensions: [['Stage', 'Service']], Metrics }],
      },
      ...{ Stage: 'lampfield-dev', Service: 'gateway', Flows: 3, LampMs: [12, 7.5] },
    });
  });

  it('leaves out a metric without a value, and values over the hundred that one line may have', () => {
    const many = Array.from({ length: 250 }, (_, index) => index);
    const { _aws, ...values } = JSON.parse(metricLine('s', 'notify', { LampAcceptedMs: many, StreamRecords: [] }, T0));
    expect(_aws.CloudWatchMetrics[0].Metrics.map(({ Name }: { Name: string }) => Name)).toEqual(['LampAcceptedMs']);
    expect(values.LampAcceptedMs).toEqual(many.slice(0, MAX_METRIC_VALUES));
    expect(values).not.toHaveProperty('StreamRecords');
  });

  it('has room for all metrics of a service: a line may have a hundred', () => {
    expect(Object.keys(METRICS).length).toBeLessThanOrEqual(100);
  });
});

describe('a sample', () => {
  it('holds every value while there are few, and begins anew when it was taken', () => {
    const sample = new MetricSample(() => 0.5);
    for (const value of [3, 1, 2]) sample.add(value);
    expect(sample.take()).toEqual([3, 1, 2]);
    expect(sample.take()).toEqual([]);
  });

  it('of many values is as likely to hold late as early ones', () => {
    let seed = 1;
    const chance = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const late = Array.from({ length: 200 }, () => {
      const sample = new MetricSample(chance);
      for (let value = 0; value < 1_000; value++) sample.add(value);
      const values = sample.take();
      expect(values).toHaveLength(MAX_METRIC_VALUES);
      return values.filter((value) => value >= 500).length / MAX_METRIC_VALUES;
    });
    const mean = late.reduce((sum, share) => sum + share, 0) / late.length;
    expect(mean).toBeGreaterThan(0.48);
    expect(mean).toBeLessThan(0.52);
  });
});
