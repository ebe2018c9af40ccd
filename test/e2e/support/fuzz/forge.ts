import { arc, breakGlass, busy, progress, record } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import type { Random } from '../../../rig/random.ts';
import type { Crowd } from './crowd.ts';
import { oneOf } from './mutate.ts';

/** Something about the reviewed pod that is not true. */
export function forge(reviewed: Pod, crowd: Crowd, chance: Random): void {
	const { metadata } = reviewed;
	const another = oneOf(chance, [...crowd.busy, ...crowd.idle, ...crowd.bystanders, ...crowd.plain]);
	const time = oneOf(chance, [
		new Date().toISOString(),
		'2020-01-01T00:00:00Z',
		'2999-01-01T00:00:00Z',
		'soon',
	]);
	const runner = reviewed.spec?.containers?.find(({ name }) => name === 'runner');
	const state = reviewed.status?.containerStatuses?.find(({ name }) => name === 'runner');
	oneOf(chance, [
		() => {
			metadata.uid = another.metadata.uid ?? '';
		},
		() => {
			metadata.ownerReferences = another.metadata.ownerReferences ?? [];
		},
		() => {
			metadata.labels = another.metadata.labels ?? {};
		},
		() => {
			metadata.annotations = { ...metadata.annotations, ...another.metadata.annotations };
		},
		() => {
			metadata.deletionTimestamp = time;
		},
		() => annotate(reviewed, breakGlass, 'the reviewer said so'),
		() => annotate(reviewed, progress.completedAt, time, progress.proof, 'A'.repeat(43)),
		() => annotate(reviewed, progress.attempt, `${time} somebody`),
		() => annotate(reviewed, progress.refusal, `${time} busy`),
		() => annotate(reviewed, progress.absentSince, `${time} ${'A'.repeat(43)}`),
		() => annotate(reviewed, progress.nodeGoneSince, `${time} ${'A'.repeat(43)}`),
		() =>
			annotate(reviewed, progress.runnerId, another.metadata.annotations?.[progress.runnerId] ?? '999999'),
		() =>
			annotate(
				reviewed,
				record.requestedAt,
				time,
				record.requestedBy,
				'bob',
				record.options,
				'{"via":"delete"}',
			),
		() => annotate(reviewed, arc.completedAt, time, arc.runnerId, '999999', arc.requestedAt, time),
		() => annotate(reviewed, arc.completionWait, time),
		() => annotate(reviewed, arc.credentialsSecret, oneOf(chance, ['none', 'runners-github', '../x', ''])),
		() => {
			metadata.labels = { ...metadata.labels, [busy.label]: oneOf(chance, ['true', 'false', '']) };
		},
		() => {
			const labels = { [arc.ephemeralRunner]: 'True', [arc.organization]: 'evil' };
			metadata.labels = { ...metadata.labels, ...labels };
		},
		() => void runner?.env?.push({ name: 'RUNNER_NAME', value: another.metadata.name }),
		() => void runner?.env?.push({ name: 'RUNNER_ORG', value: oneOf(chance, ['evil', 'octo-org', '..']) }),
		() => void runner?.env?.push({ name: 'RUNNER_EPHEMERAL', value: 'false' }),
		() => {
			if (runner) delete runner.env;
		},
		() => {
			reviewed.spec = { ...reviewed.spec, nodeName: 'no-such-node' };
		},
		() => {
			if (state) state.state = { terminated: { exitCode: 0 } };
		},
		() => {
			if (state) state.restartCount = 7;
		},
		() => {
			reviewed.status = { phase: oneOf(chance, ['Pending', 'Failed', 'Succeeded', 'Unknown']) };
		},
	])();
}

function annotate({ metadata }: Pod, ...pairs: string[]): void {
	metadata.annotations = { ...metadata.annotations };
	for (let at = 0; at < pairs.length; at += 2) metadata.annotations[pairs[at] ?? ''] = pairs[at + 1] ?? '';
}
