/** Updates of a runner's pod that end its job without a DELETE, or have the guard look elsewhere. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import { arc, busy, jobPods, progress, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import {
	decidingLabels,
	forbiddenEdits,
	ownAnnotations,
	recognisingLabels,
	scopeLabels,
} from '../../../admission/guard/rules/edits.ts';
import { jobPodLabels } from '../../../admission/guard/subjects/job-pod/rules/edits.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { pod, running } from '../runner/pods.ts';

const test = suite('edits of a live runner');

const collector = 'system:serviceaccount:kube-system:generic-garbage-collector';
const legacy = (): Pod => {
	const made = pod();
	made.spec?.containers?.push({ name: 'docker', image: 'docker:1' });
	return made;
};
const scaleSet = (): Pod =>
	pod({
		metadata: {
			labels: {
				[arc.ephemeralRunner]: 'True',
				[arc.organization]: 'octo-org',
				[arc.scaleSetName]: 'builders',
			},
			annotations: { [arc.credentialsSecret]: 'github' },
			ownerReferences: [
				{ apiVersion: 'actions.github.com/v1alpha1', kind: 'EphemeralRunner', name: 'r1', uid: 'er-1' },
			],
		},
		env: { RUNNER_ORG: '', ACTIONS_RUNNER_INPUT_JITCONFIG: 'jit' },
	});

/** What is refused of a change of this pod. */
function edits(before: Pod, change: (pod: Pod) => void, user = 'alice'): string[] {
	const after = structuredClone(before);
	change(after);
	const runner = readRunnerPod(before);
	if (!runner) throw new Error('the fixture is no runner pod');
	return forbiddenEdits(before, after, runner, user);
}
const annotate = (annotations: Record<string, string | undefined>) => (changed: Pod) => {
	changed.metadata.annotations = merged(changed.metadata.annotations, annotations);
};
const label = (labels: Record<string, string | undefined>) => (changed: Pod) => {
	changed.metadata.labels = merged(changed.metadata.labels, labels);
};
function merged(before: Record<string, string> = {}, change: Record<string, string | undefined>) {
	return Object.fromEntries(
		Object.entries({ ...before, ...change }).filter(
			(entry): entry is [string, string] => entry[1] !== undefined,
		),
	);
}
const annotated = (annotations: Record<string, string>) => {
	const made = legacy();
	annotate(annotations)(made);
	return made;
};
const pending = (made: Pod): Pod => ({
	...made,
	spec: { ...made.spec, nodeName: undefined },
	status: { phase: 'Pending' },
});
/** On a node: its containers may run although its status does not say so. */
const starting = (made: Pod, reason?: string): Pod => ({
	...made,
	status: { phase: 'Pending', containerStatuses: [{ name: 'runner', state: { waiting: { reason } } }] },
});
const stopped = (made: Pod): Pod => ({ ...made, status: { phase: 'Succeeded' } });
const container = (changed: Pod, name: string) => {
	const found = [...(changed.spec?.containers ?? []), ...(changed.spec?.initContainers ?? [])].find(
		(one) => one.name === name,
	);
	if (!found) throw new Error(`no container ${name}`);
	return found;
};

test('a deadline that is set or brought forward would kill the job', () => {
	const deadline = (seconds?: number) => (changed: Pod) => {
		changed.spec = { ...changed.spec, ...(seconds === undefined ? {} : { activeDeadlineSeconds: seconds }) };
	};
	const limited = legacy();
	deadline(3_600)(limited);
	assert.equal(edits(legacy(), deadline(1)), ['a deadline would kill its job']);
	assert.equal(edits(limited, deadline(60)), ['a deadline would kill its job']);
	assert.equal(edits(limited, deadline(3_600)), []);
	const without = (changed: Pod) => {
		delete changed.spec?.activeDeadlineSeconds;
	};
	assert.equal(edits(limited, without), []);
	assert.equal(edits(pending(legacy()), deadline(60)), []);
	assert.equal(edits(starting(legacy()), deadline(60)), ['a deadline would kill its job']);
	assert.equal(edits(stopped(legacy()), deadline(60)), []);
});

test('a new image of any container restarts it: the runner’s, docker’s beside it, a sidecar that is an init container', () => {
	const image = (name: string) => (changed: Pod) => {
		container(changed, name).image = 'other:1';
	};
	const sidecar = legacy();
	sidecar.spec = { ...sidecar.spec, initContainers: [{ name: 'dind', image: 'docker:1' }] };
	assert.equal(edits(legacy(), image('runner')), [
		'a new image would restart its container and kill its job',
	]);
	assert.equal(edits(legacy(), image('docker')), [
		'a new image would restart container docker and kill its job',
	]);
	assert.equal(edits(sidecar, image('dind')), ['a new image would restart container dind and kill its job']);
	assert.equal(
		edits(starting(legacy(), 'ImagePullBackOff'), image('runner')),
		[],
		'one that cannot be pulled may be put right',
	);
	assert.equal(edits(starting(legacy()), image('docker')), [
		'a new image would restart container docker and kill its job',
	]);
});

test('containers are compared by their names, wherever they stand', () => {
	const refused = edits(legacy(), (changed) => {
		changed.spec?.containers?.reverse();
		container(changed, 'docker').image = 'other:1';
	});
	assert.equal(refused, ['a new image would restart container docker and kill its job']);
});

test('of a thousand containers the first few are named', () => {
	const many = legacy();
	many.spec?.containers?.push(...Array.from({ length: 1_000 }, (_, at) => ({ name: `c${at}`, image: 'a' })));
	const refused = edits(many, (changed) => {
		for (const one of changed.spec?.containers ?? []) one.image = 'other';
	});
	assert.is(refused.length, 8);
	assert.is(refused[0], 'a new image would restart its container and kill its job');
});

test('new resources are refused only where the container restarts for them', () => {
	const resized = (restartPolicy: string, of = 'cpu') => {
		const made = legacy();
		Object.assign(container(made, 'docker'), {
			resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2' } },
			resizePolicy: [{ resourceName: of, restartPolicy }],
		});
		return made;
	};
	const requests = (changed: Pod) => {
		container(changed, 'docker').resources = { requests: { cpu: '3', memory: '1Gi' }, limits: { cpu: '2' } };
	};
	const limits = (changed: Pod) => {
		container(changed, 'docker').resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '3' } };
	};
	const restart = ['new resources would restart container docker and kill its job'];
	assert.equal(edits(resized('RestartContainer'), requests), restart);
	assert.equal(edits(resized('RestartContainer'), limits), restart);
	assert.equal(
		edits(resized('RestartContainer'), () => {}),
		[],
	);
	assert.equal(edits(resized('RestartContainer', 'memory'), requests), []);
	assert.equal(edits(resized('NotRequired'), requests), []);
	const without = (changed: Pod) => delete container(changed, 'docker').resources?.limits;
	const unlimited = resized('NotRequired');
	without(unlimited);
	assert.equal(edits(resized('NotRequired'), limits), []);
	assert.equal(edits(resized('NotRequired'), without), [], 'no limit is the highest');
	const policyToo = (changed: Pod) => {
		requests(changed);
		container(changed, 'docker').resizePolicy = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }];
	};
	assert.equal(edits(resized('NotRequired'), policyToo), restart);
	assert.equal(edits(unlimited, requests), ['less cpu for container docker could end its job']);
});

test('what a running runner has of cpu and memory may grow, and not shrink, in no container of it and not for its pod', () => {
	const given = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '2Gi' } };
	const made = (resources: object = given) => {
		const before = legacy();
		for (const name of ['runner', 'docker']) Object.assign(container(before, name), { resources });
		return before;
	};
	const set = (
		kind: 'requests' | 'limits',
		name: 'cpu' | 'memory',
		value: string | undefined,
		of = 'runner',
	) =>
		edits(made(), (changed) => {
			const resources = structuredClone(given) as Record<string, Record<string, string | undefined>>;
			Object.assign(resources[kind] ?? {}, { [name]: value });
			if (value === undefined) delete resources[kind]?.[name];
			Object.assign(container(changed, of), { resources });
		});
	for (const value of ['1m', '1999m', '1.9', '1999999999n', '1e-3', '0'])
		assert.equal(set('limits', 'cpu', value), ['less cpu for its container could end its job'], value);
	for (const value of ['2', '2000m', '2.0', '2e0', '3', '2001m', '1k', undefined])
		assert.equal(set('limits', 'cpu', value), [], value ?? 'none');
	for (const value of ['2G', '2047Mi', '2147483647', '1e9', '2147483647999m'])
		assert.equal(set('limits', 'memory', value, 'docker'), [
			'less memory for container docker could end its job',
		]);
	for (const value of ['2Gi', '2048Mi', '2147483648', '3G', '1Ti'])
		assert.equal(set('limits', 'memory', value), []);
	for (const value of ['999m', '1u', undefined, 'x', '-3', '1Zi', ''])
		assert.equal(
			set('requests', 'cpu', value),
			['less cpu for its container could end its job'],
			value ?? 'none',
		);
	assert.equal(set('requests', 'memory', '1500Mi'), []);

	const both = (changed: Pod) => {
		const resources = { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } };
		Object.assign(container(changed, 'runner'), { resources });
	};
	assert.equal(edits(made(), both), ['less cpu and memory for its container could end its job']);
	assert.equal(
		edits(made({ requests: given.requests }), both),
		['less cpu and memory for its container could end its job'],
		'a limit where there was none',
	);
	assert.equal(edits(pending(made()), both), []);
	assert.equal(edits(stopped(made()), both), []);

	const ofPod = (cpu: string) => (changed: Pod) => {
		changed.spec = { ...changed.spec, resources: { limits: { cpu } } };
	};
	const whole = legacy();
	ofPod('2')(whole);
	assert.equal(edits(whole, ofPod('1')), ['less cpu for its pod could end its job']);
	assert.equal(edits(whole, ofPod('3')), []);
});

test('what the server writes may not be set, changed or taken away by others', () => {
	for (const key of ownAnnotations) {
		const said = [`annotation ${key} must not be changed`];
		assert.equal(edits(legacy(), annotate({ [key]: 'forged' })), said, `set ${key}`);
		assert.equal(edits(annotated({ [key]: 'ours' }), annotate({ [key]: 'forged' })), said, `change ${key}`);
		assert.equal(edits(pending(legacy()), annotate({ [key]: 'forged' })), said, `${key} before it runs`);
		assert.equal(edits(stopped(legacy()), annotate({ [key]: 'forged' })), []);
	}
	for (const key of [progress.proof, progress.nodeGoneSince, busy.since, busy.job, busy.marks])
		assert.equal(edits(annotated({ [key]: 'ours' }), annotate({ [key]: undefined })), [
			`annotation ${key} must not be changed`,
		]);
	assert.equal(edits(legacy(), annotate({ [busy.since]: 'a', [busy.job]: 'b' })), [
		`annotations ${busy.since}, ${busy.job} must not be changed`,
	]);
});

test('a cancel takes the record and the attempt away, and whoever may patch the pod may do that', () => {
	const keys = [...Object.values(record), progress.attempt];
	const before = annotated(Object.fromEntries(keys.map((key) => [key, 'ours'])));
	assert.equal(edits(before, annotate(Object.fromEntries(keys.map((key) => [key, undefined])))), []);
});

test('ARC’s own keys are hints, which it goes on writing; so is what people write', () => {
	for (const key of [arc.runnerId, arc.requestedAt, arc.completedAt, arc.completionWait, 'team'])
		assert.equal(edits(legacy(), annotate({ [key]: 'x' })), [], key);
});

test('labels: those that recognise it stay, those that decide may not even appear', () => {
	assert.equal(edits(legacy(), label({ [arc.runner]: undefined })), [
		'label actions-runner must not be changed',
	]);
	assert.equal(edits(legacy(), label({ [arc.runner]: 'x' })), ['label actions-runner must not be changed']);
	assert.equal(edits(legacy(), label({ [arc.runnerSet]: 'adopted' })), []);
	assert.equal(edits(pending(legacy()), label({ [arc.runner]: undefined })), []);
	for (const key of [busy.label, arc.ephemeralRunner])
		for (const made of [legacy(), pending(legacy())])
			assert.equal(edits(made, label({ [key]: 'True' })), [`label ${key} must not be changed`]);
	assert.equal(edits(legacy(), label({ [arc.runner]: undefined, [busy.label]: 'true' })), [
		'labels actions-runner, actions-runner/busy must not be changed',
	]);
});

test('where a scale set’s runner is registered: labels, credentials and owner stay', () => {
	for (const key of scopeLabels)
		assert.equal(edits(scaleSet(), label({ [key]: 'evil' })), [`label ${key} must not be changed`]);
	assert.equal(edits(scaleSet(), label({ [arc.organization]: undefined })), [
		`label ${arc.organization} must not be changed`,
	]);
	const credentials = annotate({ [arc.credentialsSecret]: 'mine' });
	assert.equal(edits(scaleSet(), credentials), [`annotation ${arc.credentialsSecret} must not be changed`]);
	assert.equal(
		edits(legacy(), credentials),
		[],
		'a legacy runner’s scope is in its env: a wrong name may be put right',
	);
	assert.equal(edits(legacy(), label({ [arc.organization]: 'x' })), []);
});

test('... but the garbage collector may orphan it', () => {
	const owned = (name: string, uid: string) => (changed: Pod) => {
		changed.metadata.ownerReferences = [
			{ apiVersion: 'actions.github.com/v1alpha1', kind: 'EphemeralRunner', name, uid },
		];
	};
	const orphan = (changed: Pod) => {
		delete changed.metadata.ownerReferences;
	};
	const stays = ['its owner must remain its EphemeralRunner'];
	assert.equal(edits(scaleSet(), orphan), stays);
	assert.equal(edits(scaleSet(), owned('evil', 'er-1')), stays);
	assert.equal(edits(scaleSet(), owned('r1', 'er-2')), stays);
	assert.equal(edits(legacy(), owned('evil', 'er-2')), stays);
	assert.equal(edits(scaleSet(), owned('r1', 'er-2'), collector), stays);
	assert.equal(edits(scaleSet(), orphan, collector), []);
	assert.equal(edits(scaleSet(), orphan, 'system:kube-controller-manager'), []);
	const adopted = (changed: Pod) => {
		changed.metadata.ownerReferences = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'x', uid: 'y' }];
	};
	assert.equal(edits(legacy(), adopted), []);
	assert.equal(
		edits({ ...scaleSet(), status: running() }, () => {}),
		[],
	);
});

test('a pod that is being deleted may be edited', () => {
	const ending = legacy();
	ending.metadata.deletionTimestamp = '2026-11-23T12:00:00Z';
	assert.equal(edits(ending, annotate({ [progress.proof]: 'forged' })), []);
});

test('the webhook’s matchConditions look at the same keys', () => {
	const file = join(import.meta.dirname, '../../../manifests/base/webhooks.yaml');
	const objects = loadAll(readFileSync(file, 'utf8')) as {
		webhooks?: { name: string; matchConditions?: { name: string; expression: string }[] }[];
	}[];
	const expression =
		objects
			.flatMap(({ webhooks = [] }) => webhooks)
			.find(({ name }) => name === 'updates.runners-admission.svc')
			?.matchConditions?.find(({ name }) => name === 'something-guarded-changes')?.expression ?? '';
	const lists = [...expression.matchAll(/\[([^[\]]+)\]\.exists\(k,/g)].map(([, keys = '']) =>
		[...keys.matchAll(/'([^']+)'/g)].map(([, key = '']) => key),
	);
	assert.equal(lists[0], [
		...recognisingLabels,
		...decidingLabels,
		...scopeLabels,
		jobPods.label,
		jobPods.job,
	]);
	assert.ok(jobPodLabels.every((key) => lists[0]?.includes(key)));
	assert.equal(lists[1], recognisingLabels);
	assert.equal(lists[2]?.sort(), [...ownAnnotations, arc.credentialsSecret].sort());
});

test.run();
