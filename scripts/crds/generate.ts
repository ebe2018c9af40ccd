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
	column('Desired', '.spec.replicas', 'Number of runners that are wanted.'),
	column('Current', '.status.replicas', 'Number of runners.'),
	column('Idle', '.status.idleReplicas', 'Number of runners without a job.'),
	column('Busy', '.status.busyReplicas', 'Number of runners with a job.'),
	column(
		'Draining',
		'.status.drainingReplicas',
		'Number of busy runners that will be removed after their job.',
	),
	age,
	column(
		'Up-To-Date',
		'.status.updatedReplicas',
		'Number of runners that were made from the newest template.',
		{ priority: 1 },
	),
	column('Enterprise', `${config}.enterprise`, 'Where the runners are registered.', strings),
	column('Organization', `${config}.organization`, 'Where the runners are registered.', strings),
	column('Repository', `${config}.repository`, 'Where the runners are registered.', strings),
	column('Labels', `${config}.labels`, 'Labels of the runners at GitHub.', strings),
];

const kinds: Kind[] = [
	{
		kind: 'RunnerSet',
		plural: 'runnersets',
		description:
			'A number of GitHub Actions runners, each with a StatefulSet of its own and volumes that outlive it.',
		spec: runnerSetSpec,
		status: setStatus,
		columns: setColumns('.spec'),
		scale: true,
	},
	{
		kind: 'RunnerDeployment',
		plural: 'runnerdeployments',
		shortNames: ['rdeploy'],
		description: 'A number of GitHub Actions runners, each with a Runner of its own.',
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
			column('Enterprise', '.spec.enterprise', 'Where the runner is registered.', strings),
			column('Organization', '.spec.organization', 'Where the runner is registered.', strings),
			column('Repository', '.spec.repository', 'Where the runner is registered.', strings),
			column('Labels', '.spec.labels', 'Labels of the runner at GitHub.', strings),
			column('Status', '.status.phase', 'Phase of its pod.', { type: 'string' }),
			column('Message', '.status.message', 'Message of its pod.', { type: 'string' }),
			column('Job', '.status.workflow.job', 'The current job, if the image reports it.', { type: 'string' }),
			age,
		],
		scale: false,
	},
	{
		kind: 'HorizontalRunnerAutoscaler',
		plural: 'horizontalrunnerautoscalers',
		shortNames: ['hra'],
		description:
			'Gives a RunnerSet or RunnerDeployment as many runners as there are jobs for it, within limits.',
		spec: autoscalerSpec,
		status: autoscalerStatus,
		columns: [
			column('Min', '.spec.minReplicas', 'Minimum number of runners.'),
			column('Max', '.spec.maxReplicas', 'Maximum number of runners.'),
			column('Desired', '.status.desiredReplicas', 'Number of runners that are wanted.'),
			column(
				'Schedule',
				'.status.scheduledOverridesSummary',
				'The next change of the minimum by an override.',
				{
					type: 'string',
				},
			),
			column('Waiting', '.status.waitingJobs', 'Number of jobs that wait for a runner.', { priority: 1 }),
			column('Held', '.status.heldReplicas', 'Number of surplus runners that cannot be removed yet.', {
				priority: 1,
			}),
			column('Target', '.spec.scaleTargetRef.name', 'The set that is scaled.', strings),
			age,
		],
		scale: false,
	},
	{
		kind: 'WorkflowJob',
		plural: 'workflowjobs',
		shortNames: ['wj'],
		description: 'A GitHub Actions job that a set of this cluster could run. Created by the server.',
		spec: workflowJobSpec,
		status: workflowJobStatus,
		columns: [
			column('Repository', '.spec.repository', 'The repository of the job.', { type: 'string' }),
			column('Job', '.spec.name', 'Name of the job.', { type: 'string' }),
			column('State', '.spec.state', 'The latest state that is known.', { type: 'string' }),
			column('Set', '.status.set.name', 'The set that the job counts for.', { type: 'string' }),
			column('Runner', '.spec.runnerName', 'The runner that has the job.', { type: 'string' }),
			column('Waits', '.status.reason', 'Why the job waits.', { type: 'string' }),
			column('Labels', '.spec.labels', 'Labels that a runner must have to run the job.', strings),
			column('Run', '.spec.runId', 'The workflow run of the job.', { priority: 1 }),
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
