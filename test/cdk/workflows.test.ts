import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { ROOT } from '#cdk/dist.ts';
import { SETTING_NAMES } from '#cdk/stacks/settings-schema.ts';

const FOLDER = join(ROOT, '.github/workflows');

const permissions = v.record(v.string(), v.picklist(['read', 'write', 'none']));
const concurrency = v.strictObject({ group: v.string(), 'cancel-in-progress': v.union([v.boolean(), v.string()]) });
const step = v.strictObject({
  name: v.optional(v.string()),
  if: v.optional(v.string()),
  uses: v.optional(v.string()),
  with: v.optional(v.record(v.string(), v.unknown())),
  run: v.optional(v.string()),
});
const job = v.strictObject({
  if: v.optional(v.string()),
  needs: v.optional(v.union([v.string(), v.array(v.string())])),
  permissions: v.optional(permissions),
  'runs-on': v.optional(v.string()),
  'timeout-minutes': v.optional(v.number()),
  container: v.optional(v.string()),
  environment: v.optional(v.string()),
  env: v.optional(v.record(v.string(), v.string())),
  uses: v.optional(v.string()),
  with: v.optional(v.record(v.string(), v.string())),
  steps: v.optional(v.array(step)),
});
/** The parts of GitHub's workflow syntax that we use; a misspelt key is none of them. */
const workflow = v.strictObject({
  name: v.string(),
  on: v.record(
    v.picklist(['pull_request', 'push', 'workflow_call', 'workflow_dispatch']),
    v.nullable(v.record(v.string(), v.unknown())),
  ),
  permissions,
  concurrency: v.optional(concurrency),
  jobs: v.record(v.string(), job),
});

const names = readdirSync(FOLDER).toSorted();
const textOf = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const workflowOf = (name: string) => v.parse(workflow, load(textOf(name)));
const jobsOf = (name: string) => Object.values(workflowOf(name).jobs);
const stepsOf = (name: string) => jobsOf(name).flatMap(({ steps = [] }) => steps);
const scripts: Record<string, string> = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts;

it('there are three: what a change must pass, the deployment, and one stage of it', () => {
  expect(names).toEqual(['ci.yml', 'deploy.yml', 'stage.yml']);
});

describe.each(names)('%s', (name) => {
  it('is a workflow, whose jobs end some time and need only each other', () => {
    const { jobs } = workflowOf(name);
    for (const [id, { steps, uses, needs = [], 'timeout-minutes': minutes, 'runs-on': machine }] of Object.entries(
      jobs,
    )) {
      expect([steps === undefined, uses === undefined].filter(Boolean), id).toHaveLength(1);
      if (steps !== undefined)
        expect([minutes, machine], id).toEqual([expect.any(Number), expect.stringMatching(/-\d/)]);
      for (const needed of [needs].flat()) expect(Object.keys(jobs)).toContain(needed);
    }
  });

  it('runs the actions of others by their commit, with the version beside it, and our own by their file', () => {
    const used = [...textOf(name).matchAll(/uses: (.+)$/gm)].map(([, what = '']) => what);
    expect(used.length).toBeGreaterThan(0);
    for (const what of used) {
      if (what.startsWith('./')) expect(existsSync(join(ROOT, what)), what).toBe(true);
      else expect(what).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  it('calls scripts that there are', () => {
    const runs = stepsOf(name).flatMap(({ run }) => (run === undefined ? [] : [run]));
    for (const [, script = ''] of runs.join('\n').matchAll(/npm run ([\w-]+)/g)) expect(scripts).toHaveProperty(script);
    for (const [file] of runs.join('\n').matchAll(/^\.[\w/.-]+/gm))
      expect(existsSync(join(ROOT, file)), file).toBe(true);
  });

  it('puts nothing that somebody may have written into a script: only variables of the environment', () => {
    for (const { run } of stepsOf(name)) expect(run ?? '').not.toContain('${{');
  });

  it('keeps no credentials: what may write is the token for AWS, and that only where a stage is touched', () => {
    const { permissions: general, jobs } = workflowOf(name);
    const given = [general, ...Object.values(jobs).map((each) => each.permissions ?? {})];
    const writes = given.flatMap((each) => Object.entries(each).filter(([, access]) => access === 'write'));
    expect(new Set(writes.map(([scope]) => scope))).toEqual(new Set(name === 'ci.yml' ? [] : ['id-token']));
    expect(textOf(name)).not.toMatch(/secrets\.|AWS_ACCESS_KEY|AWS_SECRET/);
    for (const { uses, with: given = {} } of stepsOf(name))
      if (uses?.startsWith('actions/checkout@')) expect(given['persist-credentials']).toBe(false);
  });
});

describe('what a change must pass', () => {
  it('is what .ci/run does, and the templates of all stacks', () => {
    const runs = stepsOf('ci.yml').map(({ run }) => run);
    expect(runs).toContain('.ci/run');
    expect(runs).toContain('npm run synth');
    expect(readFileSync(join(ROOT, '.ci/run'), 'utf8')).toContain('npm test');
    expect(scripts.test).toMatch(/^npm run check && /);
    expect(scripts.check).toContain('biome check');
  });

  it('runs on the Node of the functions', () => {
    const versions = names.flatMap(stepsOf).flatMap(({ with: given = {} }) => given['node-version'] ?? []);
    expect(new Set(versions)).toEqual(new Set([24]));
    expect(textOf('ci.yml')).toContain('container: node:24-');
  });
});

describe('a deployment', () => {
  const { jobs } = workflowOf('deploy.yml');

  it('follows the tests, dev before prod', () => {
    expect([jobs.dev?.needs, jobs.prod?.needs]).toEqual(['test', ['test', 'dev']]);
    expect(jobs.test?.uses).toBe('./.github/workflows/ci.yml');
    expect(jobs.prod?.if).toContain("needs.test.result == 'success'");
    expect(jobs.prod?.if).toContain("needs.dev.result == 'success'");
  });

  it('of a pull request only shows what would change, and not to a fork', () => {
    const ofPullRequest = Object.entries(jobs).filter(([, each]) =>
      each.if?.startsWith("github.event_name == 'pull_request'"),
    );
    expect(ofPullRequest.map(([id, each]) => [id, each.with?.command])).toEqual([['diff', 'diff']]);
    expect(jobs.diff?.if).toContain('head.repo.full_name == github.repository');
    for (const id of ['test', 'dev', 'prod'])
      expect(jobs[id]?.if).toMatch(/github\.event_name (!= 'pull_request'|== 'push')/);
  });

  it('has an environment, where people approve it, and waits for one before it', () => {
    const { concurrency: turns } = workflowOf('stage.yml');
    expect(turns).toEqual({ group: expect.stringContaining('inputs.stage'), 'cancel-in-progress': false });
    expect(jobsOf('stage.yml').map(({ environment }) => environment)).toEqual([
      expect.stringContaining('inputs.stage'),
    ]);
  });

  it('builds before it deploys, on the machine that the image is for, with settings that there are', () => {
    const [stage] = jobsOf('stage.yml');
    expect(stage?.['runs-on']).toMatch(/-arm$/);
    const runs = (stage?.steps ?? []).map(({ run = '' }) => run);
    const place = (text: string): number => runs.findIndex((run) => run.includes(text));
    expect(place('npm run build')).toBeGreaterThan(place('npm ci'));
    expect(place('cdk deploy --all')).toBeGreaterThan(place('npm run build'));
    const given = [...runs.join('\n').matchAll(/--context (\w+)=/g)].map(([, setting]) => setting);
    expect(given).toContain('stage');
    for (const setting of given) expect(SETTING_NAMES).toContain(setting);
  });
});
