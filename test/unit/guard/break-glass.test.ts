/** An edit that only break-glass permits is reported as such a deletion is. */
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { breakGlass } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { reportBreakGlassEdit } from '../../../admission/guard/break-glass.ts';
import { updatePods } from '../../../admission/guard/update-pods.ts';
import type { AdmissionRequest, Arrival } from '../../../admission/webhook/review.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod } from '../runner/pods.ts';
import { known } from '../support/arrival.ts';
import { SimulatedClock } from '../support/clock.ts';
import { kindsByThemselves } from '../support/guard.ts';

const test = suite('break-glass in an edit');

const busy = pod({
	metadata: { labels: { 'actions-runner': '', 'actions-runner/busy': 'true' }, resourceVersion: '7' },
});
const unlabelled = (object: Pod) => void delete object.metadata.labels?.['actions-runner/busy'];
const newImage = (object: Pod) => {
	for (const container of object.spec?.containers ?? []) container.image = 'runner:2';
};
const annotated = (object: Pod) => {
	object.metadata.annotations = { ...object.metadata.annotations, [breakGlass]: 'INC-1' };
};

interface Edit {
	changes: ((object: Pod) => void)[];
	dryRun?: boolean;
	username?: string;
	arrival?: Arrival;
	/** The pod as the API server has it. */
	stored?: Pod | undefined | Error;
}

/** The answer, and what is left of it in Events, log and metrics. */
async function edit({ changes, dryRun, username = 'alice', arrival = known, ...rest }: Edit) {
	const stored = 'stored' in rest ? rest.stored : busy;
	const object = structuredClone(busy);
	for (const change of changes) change(object);
	const events: string[] = [];
	const lines: Record<string, unknown>[] = [];
	let counted = 0;
	const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
	const parts = {
		subjects: kindsByThemselves(),
		pods: {
			get: async () => {
				if (stored instanceof Error) throw stored;
				return stored;
			},
		},
		events: {
			send: (_subject: unknown, type: string, reason: string, action: string, message: string) =>
				void events.push(`${type} ${reason} ${action}: ${message}`),
		},
		metrics: {
			decision(...verdict: string[]) {
				assert.equal(verdict, ['allow', 'break-glass']);
				counted++;
			},
		},
		clock: new SimulatedClock(noon),
		log,
	} as unknown as Parameters<typeof reportBreakGlassEdit>[1];
	const request: AdmissionRequest = {
		uid: 'u',
		namespace: 'ci',
		operation: 'UPDATE',
		userInfo: { username },
		oldObject: busy,
		object,
		...(dryRun ? { dryRun } : {}),
	};
	const reports: Promise<void>[] = [];
	const answer = updatePods(request, 'guard', parts.subjects, (use) => {
		reports.push(reportBreakGlassEdit({ ...use, arrival }, parts));
	});
	await Promise.all(reports);
	return { allowed: answer.allowed, events, lines, counted };
}

test('Event, log line and metric say who, why and what was changed', async () => {
	const { allowed, events, lines, counted } = await edit({ changes: [annotated, newImage, unlabelled] });
	assert.ok(allowed);
	assert.equal(events, [
		'Warning BreakGlass Update: alice (unverified) edits runner r1, which ran a job, by actions-runner/break-glass: INC-1. Otherwise refused: label actions-runner/busy must not be changed; a new image would restart its container and kill its job',
	]);
	assert.is(counted, 1);
	assert.is(lines.length, 1);
	const { pod: name, user, why, edits, msg } = lines[0]!;
	assert.equal([name, user, why, msg], ['ci/r1', 'alice', 'INC-1', 'break-glass']);
	assert.match(String(edits), 'new image');
});

test('an annotation that was there before counts as well', async () => {
	const before = structuredClone(busy);
	annotated(before);
	assert.is((await edit({ changes: [annotated, newImage], stored: before })).events.length, 1);
});

test('nothing is reported of what is allowed without it, of a dry run, or of the server itself', async () => {
	for (const other of [
		{ changes: [annotated] },
		{ changes: [annotated, newImage], dryRun: true },
		{ changes: [annotated, newImage], username: 'guard' },
	])
		assert.equal(await edit(other), { allowed: true, events: [], lines: [], counted: 0 });
	const refused = await edit({ changes: [newImage] });
	assert.equal(refused, { allowed: false, events: [], lines: [], counted: 0 });
});

test('a review alone reports nothing: the pod that it shows must be there', async () => {
	const other = { ...busy, metadata: { ...busy.metadata, uid: 'another' } };
	for (const stored of [undefined, other]) {
		const { allowed, events, counted } = await edit({ changes: [annotated, newImage], stored });
		assert.equal([allowed, events, counted], [true, [], 0]);
	}
});

test('the pod can’t be read: log and metric say so all the same', async () => {
	const { allowed, events, lines, counted } = await edit({
		changes: [annotated, newImage],
		stored: new Error('timed out'),
	});
	assert.equal([allowed, events, counted, lines.length], [true, [], 1, 1]);
	assert.match(String(lines[0]?.error), 'timed out');
});

test.run();
