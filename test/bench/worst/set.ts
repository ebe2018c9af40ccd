/** The worst set: what it costs when it changes, and at each reconcile. */
import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import type { RunnerDeployment, RunnerSet, RunnersSet } from '../../../admission/api/sets.ts';
import { configOf, fixedPart } from '../../../admission/autoscale/candidates.ts';
import { KnownSets } from '../../../admission/autoscale/known-sets.ts';
import { desiredOf } from '../../../admission/autoscale/rules/desired.ts';
import { suggestionOf } from '../../../admission/autoscale/rules/metrics.ts';
import { setKeyOf } from '../../../admission/autoscale/rules/set-key.ts';
import { labelsIn } from '../../../admission/jobs/records/rules/labels.ts';
import { runnerSetTemplate, runnerTemplate, templateHash } from '../../../admission/sets/pod/template.ts';
import { setReplicas } from '../../../admission/sets/stamp-replicas.ts';
import { templateDefaults } from '../../unit/support/sets-world.ts';
import { mostRoom } from './pods.ts';
import type { WorstCase } from './worst-case.ts';

/** As many of them as fit. */
function fill<T>(bytes: number, make: (index: number) => T): T[] {
	const one = JSON.stringify(make(99_999)).length + 1;
	return Array.from({ length: Math.floor(bytes / one) }, (_, index) => make(index));
}
const variables = (count: number, length: number) =>
	Array.from({ length: count }, (_, index) => ({ name: `V${index}`, value: 'x'.repeat(length) }));

/** Specs of runners that the API server may have stored, of about this many bytes; the last as large as the schema takes. */
const runners: Record<string, object> = {
	'100,000 labels': { labels: fill(mostRoom, (index) => `label-${index}`) },
	'labels with commas': { labels: [','.repeat(mostRoom)] },
	'one label': { labels: ['x'.repeat(mostRoom)] },
	'variables of one container': { env: fill(mostRoom, (index) => ({ name: `V${index}` })) },
	'volumes and mounts': {
		volumes: fill(mostRoom / 2, (index) => ({ name: `v${index}` })),
		volumeMounts: fill(mostRoom / 2, (index) => ({ name: `v${index}`, mountPath: '/' })),
	},
	'1,000 variables of 1,400 characters': { env: variables(1_000, 1_400) },
	'100 containers with 130 variables': {
		containers: Array.from({ length: 100 }, (_, index) => ({ name: `c${index}`, env: variables(130, 80) })),
	},
};

const named = (kind: string, spec: object) => ({
	apiVersion: 'actions.summerwind.dev/v1alpha1',
	kind,
	metadata: { name: 'large', namespace: 'ci', uid: 'u', generation: 1 },
	spec,
});
const deploymentOf = (runner: object): RunnerDeployment =>
	named('RunnerDeployment', { template: { spec: { organization: 'octo', ...runner } } }) as never;
/** What stands beside the runner's fields in a RunnerDeployment is in the pod's template of a RunnerSet. */
const setOf = ({ labels, env, volumeMounts, ...pod }: Record<string, unknown>): RunnerSet =>
	named('RunnerSet', {
		organization: 'octo',
		...(labels ? { labels } : {}),
		template: { spec: { containers: [{ name: 'runner', env, volumeMounts }], ...pod } },
	}) as never;

const readings: Record<string, (set: RunnersSet) => unknown> = {
	'a set is known to the router, and to every replica': (set) => {
		const [key, config] = [setKeyOf(set), configOf(set)];
		const sets = new KnownSets();
		for (let change = 0; change < 2; change++)
			sets.specChanged(key, fixedPart(key, config, set, 'github.com', new Set(), []));
		return [sets.labels(), labelsIn(config?.labels)];
	},
	'a set is hashed': (set) => templateHash(set as RunnerSet),
	'a set is laid out': (set) =>
		set.kind === 'RunnerSet'
			? runnerSetTemplate(set as RunnerSet, templateDefaults, 'hash')
			: runnerTemplate(
					{ metadata: set.metadata, spec: (set as RunnerDeployment).spec.template.spec },
					templateDefaults,
				),
	'a changed set is reviewed': (set) =>
		setReplicas(
			{ uid: 'u', operation: 'UPDATE', userInfo: { username: 'me' }, object: set, oldObject: set } as never,
			0,
		),
};

const ofSets: WorstCase[] = Object.entries(runners).flatMap(([shape, runner]) =>
	[deploymentOf(runner), setOf(runner as Record<string, unknown>)].flatMap((set) =>
		Object.entries(readings).map(([does, read]) => ({
			does,
			shape: `${set.kind}: ${shape}`,
			bytes: JSON.stringify(set).length,
			prepare: () => () => read(set),
		})),
	),
);

const workflowJob = { githubEvent: { workflowJob: {} }, duration: '30m' };
const override = {
	startTime: '1970-01-31T00:00:00+01:00',
	endTime: '1970-01-31T01:00:00+01:00',
	recurrenceRule: { frequency: 'Yearly' },
	timeZone: 'Europe/Berlin',
};
const autoscalers: Record<string, object> = {
	triggers: { scaleUpTriggers: fill(mostRoom, () => workflowJob) },
	reservations: {
		capacityReservations: fill(mostRoom, () => ({ replicas: 1, expirationTime: '2999-01-01T00:00:00Z' })),
	},
	overrides: {
		scheduledOverrides: fill(mostRoom, (index) => ({ ...override, minReplicas: index })),
	},
	repositories: {
		metrics: [
			{
				type: 'TotalNumberOfQueuedAndInProgressWorkflowRuns',
				repositoryNames: fill(mostRoom, (index) => `repository-${index}`),
			},
		],
	},
	'everything that is not what it should be': {
		minReplicas: 'x'.repeat(mostRoom / 4),
		scaleUpTriggers: fill(mostRoom / 4, () => ({ githubEvent: { workflowJob: {} }, duration: 'x' })),
		capacityReservations: fill(mostRoom / 4, () => ({ replicas: 'x', expirationTime: 'x' })),
		scheduledOverrides: fill(mostRoom / 4, () => 'x'),
	},
};

const ofAutoscalers: WorstCase[] = Object.entries(autoscalers).map(([shape, spec]) => ({
	does: 'an autoscaler is evaluated',
	shape,
	bytes: JSON.stringify(spec).length,
	prepare: () => () => {
		const { metrics } = spec as HorizontalRunnerAutoscaler['spec'];
		const suggestion = suggestionOf(metrics, {
			scope: { kind: 'organization', name: 'octo' },
			replicas: 1,
			busy: 0,
			labels: new Set(['self-hosted']),
			listed: () => ({ jobs: [] }),
		});
		const facts = { metrics: suggestion, spareFor: () => 0, ready: true };
		return desiredOf(spec, facts, Date.parse('2026-12-01T12:00:00Z'));
	},
}));

export const setCases: WorstCase[] = [...ofSets, ...ofAutoscalers];
