/** The files of manifests/crds; `make manifests` writes them. A unit test compares them with what is committed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import {
	autoscalerSpec,
	autoscalerStatus,
	workflowJobSpec,
	workflowJobStatus,
} from '../../admission/api/schema/autoscale.ts';
import { type Rule, rules } from '../../admission/api/schema/parts.ts';
import {
	runnerDeploymentSpec,
	runnerSetSpec,
	runnerSpec,
	runnerStatus,
	setStatus,
} from '../../admission/api/schema/sets.ts';
import { group } from '../../admission/api/sets.ts';

interface Column {
	name: string;
	type: string;
	jsonPath: string;
	description: string;
	/** A column with a priority above 0 is shown with -o wide only. */
	priority?: number;
}

interface Kind {
	kind: string;
	plural: string;
	shortNames?: string[];
	description: string;
	spec: object;
	status: object;
	columns: Column[];
	scale: boolean;
}

const column = (name: string, jsonPath: string, description: string, more: Partial<Column> = {}): Column => ({
	name,
	type: 'integer',
	jsonPath,
	description,
	...more,
});
const strings = { type: 'string', priority: 1 };
const age: Column = {
	name: 'Age',
	type: 'date',
	jsonPath: '.metadata.creationTimestamp',
	description: 'Age.',
};

const setColumns = (config: string): Column[] => [
	column('Desired', '.spec.replicas', 'Runners wanted.'),
	column('Current', '.status.replicas', 'Runners there are.'),
	column('Idle', '.status.idleReplicas', 'Runners without a job.'),
	column('Busy', '.status.busyReplicas', 'Runners with a job.'),
	column('Draining', '.status.drainingReplicas', 'Busy runners that go when their job is done.'),
	age,
	column('Up-To-Date', '.status.updatedReplicas', 'Runners of the newest template.', { priority: 1 }),
	column('Enterprise', `${config}.enterprise`, 'Where they are registered.', strings),
	column('Organization', `${config}.organization`, 'Where they are registered.', strings),
	column('Repository', `${config}.repository`, 'Where they are registered.', strings),
	column('Labels', `${config}.labels`, 'Their labels at GitHub.', strings),
];

const kinds: Kind[] = [
	{
		kind: 'RunnerSet',
		plural: 'runnersets',
		description: 'GitHub Actions runners, each with a StatefulSet of its own, for volumes that outlive it.',
		spec: runnerSetSpec,
		status: setStatus,
		columns: setColumns('.spec'),
		scale: true,
	},
	{
		kind: 'RunnerDeployment',
		plural: 'runnerdeployments',
		shortNames: ['rdeploy'],
		description: 'GitHub Actions runners, each a Runner.',
		spec: runnerDeploymentSpec,
		status: setStatus,
		columns: setColumns('.spec.template.spec'),
		scale: true,
	},
	{
		kind: 'Runner',
		plural: 'runners',
		description: 'One GitHub Actions runner and its pod.',
		spec: runnerSpec,
		status: runnerStatus,
		columns: [
			column('Enterprise', '.spec.enterprise', 'Where it is registered.', strings),
			column('Organization', '.spec.organization', 'Where it is registered.', strings),
			column('Repository', '.spec.repository', 'Where it is registered.', strings),
			column('Labels', '.spec.labels', 'Its labels at GitHub.', strings),
			column('Status', '.status.phase', "Its pod's phase.", { type: 'string' }),
			column('Message', '.status.message', "Its pod's message.", { type: 'string' }),
			column('Job', '.status.workflow.job', 'Its job, if the image tells.', { type: 'string' }),
			age,
		],
		scale: false,
	},
	{
		kind: 'HorizontalRunnerAutoscaler',
		plural: 'horizontalrunnerautoscalers',
		shortNames: ['hra'],
		description: 'How many runners a RunnerSet or RunnerDeployment has: as many as jobs wait or run.',
		spec: autoscalerSpec,
		status: autoscalerStatus,
		columns: [
			column('Min', '.spec.minReplicas', 'The fewest runners.'),
			column('Max', '.spec.maxReplicas', 'The most runners.'),
			column('Desired', '.status.desiredReplicas', 'Runners wanted.'),
			column('Schedule', '.status.scheduledOverridesSummary', 'The override that is active or comes next.', {
				type: 'string',
			}),
			column('Waiting', '.status.waitingJobs', 'Jobs that wait for a runner.', { priority: 1 }),
			column('Held', '.status.heldReplicas', 'Runners that can not go yet.', { priority: 1 }),
			column('Target', '.spec.scaleTargetRef.name', 'The set.', strings),
			age,
		],
		scale: false,
	},
	{
		kind: 'WorkflowJob',
		plural: 'workflowjobs',
		shortNames: ['wj'],
		description: "A job of GitHub Actions that a set could run; made by the server from GitHub's events.",
		spec: workflowJobSpec,
		status: workflowJobStatus,
		columns: [
			column('Repository', '.spec.repository', 'Where it comes from.', { type: 'string' }),
			column('Job', '.spec.name', 'Its name.', { type: 'string' }),
			column('State', '.spec.state', 'Its furthest state.', { type: 'string' }),
			column('Set', '.status.set.name', 'The set that it counts for.', { type: 'string' }),
			column('Runner', '.spec.runnerName', 'The runner that has it.', { type: 'string' }),
			column('Waits', '.status.reason', 'Why it waits.', { type: 'string' }),
			column('Labels', '.spec.labels', 'What it runs on.', strings),
			column('Run', '.spec.runId', 'Its workflow run.', { priority: 1 }),
			age,
		],
		scale: false,
	},
];

/** The set's name becomes the value of a label of its pods, which may have 63 characters. */
const nameIsALabel: Rule = {
	rule: 'size(self.metadata.name) <= 63',
	message: 'metadata.name may have at most 63 characters',
};

/** The content of each custom resource definition's file, by the file's name without its folder. */
export function crdFiles(): Record<string, string> {
	return Object.fromEntries(kinds.map((kind) => [`${kind.plural}.yaml`, render(kind)]));
}

function render(kind: Kind): string {
	const definition = {
		apiVersion: 'apiextensions.k8s.io/v1',
		kind: 'CustomResourceDefinition',
		metadata: { name: `${kind.plural}.${group}` },
		spec: {
			group,
			scope: 'Namespaced',
			names: {
				kind: kind.kind,
				listKind: `${kind.kind}List`,
				plural: kind.plural,
				singular: kind.kind.toLowerCase(),
				...(kind.shortNames ? { shortNames: kind.shortNames } : {}),
			},
			versions: [
				{
					name: 'v1alpha1',
					served: true,
					storage: true,
					additionalPrinterColumns: kind.columns,
					subresources: {
						status: {},
						...(kind.scale
							? {
									scale: {
										specReplicasPath: '.spec.replicas',
										statusReplicasPath: '.status.replicas',
										labelSelectorPath: '.status.selector',
									},
								}
							: {}),
					},
					schema: {
						openAPIV3Schema: {
							type: 'object',
							description: kind.description,
							required: ['spec'],
							...(kind.scale ? rules(nameIsALabel) : {}),
							properties: {
								apiVersion: { type: 'string' },
								kind: { type: 'string' },
								metadata: { type: 'object' },
								spec: kind.spec,
								status: kind.status,
							},
						},
					},
				},
			],
		},
	};
	const header = '# Made by "make manifests" from scripts/crds: change that instead.\n';
	return header + dump(definition, { noRefs: true, lineWidth: -1, quoteStyle: 'double' });
}

/** Writes them into manifests/crds. */
export function writeCrds(): void {
	const folder = join(import.meta.dirname, '../../manifests/crds');
	for (const [name, content] of Object.entries(crdFiles())) writeFileSync(join(folder, name), content);
}
