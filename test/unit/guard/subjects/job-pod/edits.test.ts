import * as assert from 'uvu/assert';
import { breakGlass, busy, jobPods, record } from '../../../../../admission/api/keys.ts';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import { updatePods } from '../../../../../admission/guard/update-pods.ts';
import { suite } from '../../../../support/suite.ts';
import { kindsByThemselves } from '../../../support/guard.ts';
import { endedJobPod, jobPodObject } from './pods.ts';

const test = suite('job pods: edits');

/** What is refused. */
function refused(change: (pod: Pod) => void, { before = jobPodObject(), username = 'alice' } = {}): string {
	const object = structuredClone(before);
	change(object);
	const request = {
		uid: 'u',
		operation: 'UPDATE',
		userInfo: { username },
		object,
		oldObject: before,
	} as const;
	return updatePods(request, 'the-server', kindsByThemselves()).status?.message ?? 'nothing';
}
const label = (key: string, value: string | undefined) => (pod: Pod) => {
	const { [key]: _, ...rest } = pod.metadata.labels ?? {};
	pod.metadata.labels = value === undefined ? rest : { ...rest, [key]: value };
};
const annotate = (key: string, value: string) => (pod: Pod) => {
	pod.metadata.annotations = { ...pod.metadata.annotations, [key]: value };
};

test('the label by which it is recognised, and the busy label, stay while it lives', () => {
	for (const value of [undefined, '', 'r2'])
		assert.match(refused(label(jobPods.label, value)), /label runner-pod must not be changed/);
	for (const value of ['true', 'false'])
		assert.match(refused(label(busy.label, value)), /label actions-runner\/busy must not be changed/);
	const before = jobPodObject({ metadata: { labels: { [busy.label]: 'true' } } });
	assert.match(refused(label(busy.label, undefined), { before }), /must not be changed/);
});

test('what would end its containers is refused: a deadline, a new image', () => {
	assert.match(
		refused((pod) => (pod.spec!.activeDeadlineSeconds = 1)),
		/a deadline would kill its job/,
	);
	assert.match(
		refused((pod) => (pod.spec!.containers![1]!.image = 'postgres:18')),
		/a new image would restart container postgres/,
	);
});

test('a record may be taken away, and not written; other edits pass', () => {
	assert.match(refused(annotate(record.requestedBy, 'bob')), /deletion-requested-by must not be changed/);
	const before = jobPodObject({ metadata: { annotations: { [record.requestedBy]: 'bob' } } });
	assert.is(
		refused((pod) => (pod.metadata.annotations = {}), { before }),
		'nothing',
	);
	assert.is(refused(annotate('team', 'a')), 'nothing');
	assert.is(refused(label('team', 'a')), 'nothing');
});

test('the server, break-glass, and pods that have ended or are terminating', () => {
	const edit = label(jobPods.label, 'r2');
	assert.is(refused(edit, { username: 'the-server' }), 'nothing');
	const ended = jobPodObject({ status: endedJobPod('job', 'postgres') });
	assert.is(refused(edit, { before: ended }), 'nothing');
	const deletionTimestamp = '2026-11-23T12:04:00Z';
	assert.is(refused(edit, { before: jobPodObject({ metadata: { deletionTimestamp } }) }), 'nothing');
	const broken = (pod: Pod) => {
		edit(pod);
		annotate(breakGlass, 'stuck')(pod);
	};
	assert.is(refused(broken), 'nothing');
});

test.run();
