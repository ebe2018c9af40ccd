import * as assert from 'uvu/assert';
import { progress } from '../../../../../admission/api/keys.ts';
import type { GitHubFailure } from '../../../../../admission/github/types.ts';
import type { UnregisterOutcome } from '../../../../../admission/github/unregistrations.ts';
import { QuietPeriods } from '../../../../../admission/guard/subjects/runner/quiet-periods.ts';
import {
	type LookupOutcome,
	type Ports,
	type ReleaseLimits,
	type RunnerAccount,
	release as releaseNow,
} from '../../../../../admission/guard/subjects/runner/release.ts';
import { type LogReading, readRunnerLog } from '../../../../../admission/jobs/rules/runner-log.ts';
import {
	absentOf,
	type DeletionRequest,
	idleOf,
	registeredAs,
	signalsOf,
} from '../../../../../admission/runner/record.ts';
import { type RunnerPod, readRunnerPod } from '../../../../../admission/runner/runner-pod.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, pod, signer } from '../../../runner/pods.ts';
import { SimulatedClock } from '../../../support/clock.ts';

const test = suite('release');

/** A cluster of one pod and a GitHub that answers as it is configured; both note what they are asked. */
function world(
	start = pod(),
	answers: {
		unregister?: UnregisterOutcome | Promise<UnregisterOutcome>;
		lookup?: LookupOutcome;
		failure?: GitHubFailure;
		/** Until when no DELETE can be sent, ms since the epoch. */
		spentUntilMs?: number;
		nameTaken?: boolean;
		/** What the log says, from one reading to the next; the last one stays. Idle where nothing is given. */
		log?: LogReading[];
	} = {},
) {
	const log = [...(answers.log ?? [idle])];
	let object = start;
	const calls: string[] = [];
	let conflicts = 0;
	const read = () => readRunnerPod(object, { verify: signer.verifyStatement })!;
	const clock = new SimulatedClock(noon + 60_000);
	const ports: Ports & { clock: SimulatedClock } = {
		clock,
		self: 'me',
		quiet: new QuietPeriods(clock),
		now: clock.now,
		after: clock.after,
		background: () => {},
		async account() {
			return {
				failure: () => answers.failure,
				removalsSpentUntilMs: () => answers.spentUntilMs,
				unregister: async () => {
					calls.push('unregister');
					return answers.unregister ?? removed;
				},
				lookup: async (_runner, { recent }) => {
					calls.push(recent ? 'recent lookup' : 'lookup');
					return answers.lookup ?? { kind: 'present', busy: false, online: true };
				},
			};
		},
		async write(_pod, { annotations, labels = {} }, onlyIfUnchanged) {
			if (onlyIfUnchanged && conflicts > 0) {
				conflicts -= 1;
				calls.push('conflict');
				return 'conflict';
			}
			const keys = [...Object.keys(annotations), ...Object.keys(labels)];
			calls.push(`write ${keys.map((key) => key.slice('actions-runner/'.length)).join('+')}`);
			object = {
				...object,
				metadata: {
					...object.metadata,
					annotations: merged(object.metadata.annotations, annotations),
					labels: merged(object.metadata.labels, labels),
				},
			};
			return read();
		},
		async record(on, written) {
			return this.write(on, { annotations: written });
		},
		async reread() {
			calls.push('reread');
			return read();
		},
		nameTaken: async () => answers.nameTaken ?? false,
		sign: signer.signStatement,
		readLog: async () => (log.length > 1 ? log.shift() : log[0]) ?? idle,
		reportRefuted: (_pod, job) => void calls.push(`refuted by ${job}`),
		async deleteEphemeralRunner() {
			calls.push('delete EphemeralRunner');
		},
	};
	const conflict = (times: number) => (conflicts = times);
	return { clock, ports, calls, pod: read, object: () => structuredClone(object), conflict };
}

/** The clock passes until it is decided. */
async function release(
	asked: RunnerPod,
	request: DeletionRequest | undefined,
	ports: Ports,
	limits: Partial<ReleaseLimits> = {},
) {
	let decided = false;
	const answerByMs = ports.now() + 3_000;
	const deciding = releaseNow(asked, request, ports, { answerByMs, priority: 'request', ...limits });
	deciding.then(
		() => (decided = true),
		() => (decided = true),
	);
	const { clock } = ports as Ports & { clock: SimulatedClock };
	await clock.until('it is decided', () => decided, 120_000);
	return deciding;
}

const idle: LogReading = { says: 'idle', at: undefined };
const works: LogReading = { says: 'works', at: '2026-11-23 12:00:59Z', job: 'build' };
const unread: LogReading = { says: 'unknown', why: 'its log cannot be read' };
const alice: DeletionRequest = { user: 'alice', options: { via: 'delete' }, dryRun: false };
const budgetMs = 50;
const recorded = 'deletion-requested-at+deletion-requested-by+deletion-options+deletion-proof';
const proven =
	'runner-id+registered-as+registration-proof+unregistered-at+unregistration-proof+unregistration-complete-timestamp+busy';
const removed = { kind: 'unregistered', runnerId: 7 } as const;
const merged = (before: Record<string, string> | undefined, change: Record<string, string | null>) =>
	Object.fromEntries(
		Object.entries({ ...before, ...change }).filter((entry): entry is [string, string] => entry[1] !== null),
	);

test('idle: recorded, the attempt noted, asked, the proof written, and only then allowed (A2)', async () => {
	const { ports, calls, pod } = world();
	const { verdict } = await release(pod(), alice, ports);
	assert.equal(verdict, { kind: 'allow', reason: 'unregistered' });
	assert.equal(calls, [`write ${recorded}+unregistration-claim`, 'unregister', `write ${proven}`, 'reread']);
});
test('asked once more in the same exchange: the sources are read, without a call to GitHub and without a write', async () => {
	const { ports, calls, pod } = world();
	await release(pod(), alice, ports);
	calls.length = 0;
	const { verdict } = await release(pod(), alice, ports);
	assert.is(verdict.reason, 'unregistered');
	assert.equal(calls, ['reread']);
});
test('422: denied, recorded, and an ephemeral runner never asked again (A3, invariant 5)', async () => {
	const { ports, calls, pod } = world(undefined, {
		unregister: { kind: 'busy', message: 'Runner is currently running a job', runnerId: 7 },
	});
	const first = await release(pod(), alice, ports);
	assert.equal([first.verdict.kind, first.verdict.reason, first.recorded], ['deny', 'busy', true]);
	await release(pod(), alice, ports);
	assert.is(calls.filter((call) => call === 'unregister').length, 1);
	assert.is(calls.at(-1), 'write unregistration-refusal');
});
test('known busy: recorded once, GitHub not asked, a retry writes nothing (invariant 4)', async () => {
	const { ports, calls, pod: read } = world(pod({ metadata: { labels: { 'actions-runner/busy': 'true' } } }));
	await release(read(), alice, ports);
	await release(read(), { ...alice, user: 'bob' }, ports);
	assert.equal(calls, [`write ${recorded}`]);
	assert.is(read().record?.requestedBy, 'alice');
});
test('GitHub slow: denied within the budget, and its late 204 is written all the same (F8)', async () => {
	let answer: (outcome: UnregisterOutcome) => void = () => {};
	const late = new Promise<UnregisterOutcome>((resolve) => {
		answer = resolve;
	});
	const { clock, ports, calls, pod } = world(undefined, { unregister: late });
	let exchange: Promise<unknown> | undefined;
	ports.background = (work) => {
		exchange = work;
	};
	const soon = { answerByMs: ports.now() + budgetMs, priority: 'request' } as const;
	const releasing = releaseNow(pod(), alice, ports, soon);
	await clock.pass(budgetMs);
	const { verdict, recorded } = await releasing;
	assert.equal([verdict.reason, recorded], ['github-slow', true]);
	answer(removed);
	await exchange;
	assert.is(calls.at(-1), `write ${proven}`);
	assert.is((await release(pod(), alice, ports)).verdict.reason, 'unregistered');
});
test('GitHub fails: recorded without a call and without an attempt (F1)', async () => {
	const failure: GitHubFailure = { kind: 'rate-limited', detail: 'until 12:30' };
	const { ports, calls, pod } = world(undefined, { failure });
	const { verdict } = await release(pod(), alice, ports);
	assert.equal([verdict.kind, verdict.reason], ['deny', 'rate-limited']);
	assert.equal(calls, [`write ${recorded}`]);
});
test('a 403, a 401, an outage deny: nothing but a 204 lets go (F3, F4, F5)', async () => {
	for (const kind of [
		'forbidden',
		'credentials-invalid',
		'github-unavailable',
		'github-slow',
		'budget-spent',
	] as const) {
		const { ports, pod } = world(undefined, { unregister: { kind, detail: 'x' } });
		assert.equal((await release(pod(), alice, ports)).verdict, {
			kind: 'deny',
			reason: kind,
			detail: 'x',
		});
	}
});
test('a call without an answer leaves no attempt behind for other replicas to wait for', async () => {
	const { ports, calls, pod } = world(undefined, {
		unregister: { kind: 'github-unavailable', detail: '502' },
	});
	await release(pod(), alice, ports);
	assert.is(calls.at(-1), 'write unregistration-claim');
	assert.is(pod().attempt, undefined);
});
test('a dry run writes nothing, asks only what a read can tell, and gives the same verdict (A15)', async () => {
	const dry = { ...alice, dryRun: true };
	for (const [lookup, kind, reason] of [
		[{ kind: 'present', busy: false, online: true }, 'allow', 'unregistered'],
		[{ kind: 'present', busy: true, online: true }, 'deny', 'busy'],
		[{ kind: 'absent', begunMs: noon + 60_000 }, 'deny', 'registering'],
		[{ kind: 'github-unavailable', detail: '502' }, 'deny', 'github-unavailable'],
	] as const) {
		const { ports, calls, pod } = world(undefined, { lookup });
		const { verdict, recorded } = await release(pod(), dry, ports);
		assert.equal([verdict.kind, verdict.reason, recorded], [kind, reason, 'dry-run']);
		assert.equal(calls, ['lookup']);
	}
});

const saidToBeUnregistered = () =>
	pod({
		metadata: {
			annotations: {
				'actions-runner/unregistered-at': '2026-11-23T12:00:30Z',
				'actions-runner/unregistration-complete-timestamp': '2026-11-23T12:00:30Z',
				'actions-runner/unregistration-proof': 'AAAA',
				'actions-runner/runner-id': '999999',
			},
		},
	});

test('its DELETE waits for its turn in the rate limit: the denial says that, and until when', async () => {
	const never = new Promise<UnregisterOutcome>(() => {});
	const spent = world(undefined, { unregister: never, spentUntilMs: noon + 90_000 });
	const { verdict, recorded: isRecorded } = await release(spent.pod(), alice, spent.ports);
	assert.equal([verdict.reason, isRecorded], ['budget-spent', true]);
	assert.match(('detail' in verdict && verdict.detail) || '', '2026-11-23T12:01:30.000Z');

	const sent = world(undefined, { unregister: never, spentUntilMs: noon + 90_000 });
	const account = (await sent.ports.account(sent.pod())) as RunnerAccount;
	sent.ports.account = async () => ({
		...account,
		unregister: async (_runner, { stillIdle }) => {
			await stillIdle();
			return never;
		},
	});
	assert.is(
		(await release(sent.pod(), alice, sent.ports)).verdict.reason,
		'github-slow',
		'its turn has come',
	);
	const free = world(undefined, { unregister: never });
	assert.is((await release(free.pod(), alice, free.ports)).verdict.reason, 'github-slow');
});

test('a forged time, proof and id on a runner that is registering release nothing, and nothing is signed', async () => {
	const { ports, calls, pod } = world(saidToBeUnregistered(), absentAt(noon + 60_000));
	const released = await release(pod(), alice, ports);
	assert.equal([released.verdict.kind, released.verdict.reason], ['deny', 'registering']);
	assert.equal(calls, ['lookup', `write ${recorded}`]);
	assert.equal([pod().unregistered, pod().registered], [undefined, false]);
});
test('ARC is having a busy runner unregistered: one look and one write, for each write has ARC ask GitHub once more', async () => {
	const annotations = { 'actions-runner/unregistration-request-timestamp': '2026-11-23T12:00:30Z' };
	const {
		ports,
		calls,
		pod: read,
	} = world(pod({ metadata: { annotations } }), {
		lookup: { kind: 'present', busy: true, online: true },
	});
	const { verdict, recorded: isRecorded } = await release(read(), alice, ports);
	assert.equal([verdict.reason, isRecorded], ['busy', true]);
	assert.equal(calls, ['lookup', `write ${recorded}`]);
});
test('a forged complete-timestamp on a registered runner releases nothing', async () => {
	const { ports, pod } = world(saidToBeUnregistered(), {
		unregister: { kind: 'busy', message: 'busy', runnerId: 7 },
	});
	assert.equal((await release(pod(), alice, ports)).verdict.kind, 'deny');
});
test("an idle one's forged time makes way for that of the 204, from which its caller's DELETE is waited for", async () => {
	const { ports, pod } = world(saidToBeUnregistered());
	const released = await release(pod(), alice, ports);
	assert.equal([released.verdict.kind, released.verdict.reason], ['allow', 'unregistered']);
	assert.is(Date.parse(released.pod.unregistered?.at ?? ''), ports.now() - 2_000, 'the quiet period is over');
	assert.is(released.pod.runnerId, 7);
});

const seen = (change: Parameters<typeof pod>[0] = {}) => {
	const annotations = registeredAs(readRunnerPod(pod(change))!, 7, signer.signStatement) as Record<
		string,
		string
	>;
	return pod({ ...change, metadata: { annotations } });
};
const absentAt = (begunMs: number) => {
	const absent = { kind: 'absent', begunMs } as const;
	return { unregister: absent, lookup: absent };
};
const fixed = { env: { RUNNER_EPHEMERAL: 'false' } };

test('a static runner that GitHub had and has no more goes after the quiet period; nothing is signed that lets it go, so GitHub’s list is asked at each DELETE', async () => {
	const { clock, ports, calls, pod: current } = world(seen(fixed), absentAt(noon + 60_000));
	for (const asked of ['unregister', 'lookup', 'lookup']) {
		calls.length = 0;
		const { verdict } = await release(current(), alice, ports);
		assert.equal([verdict.kind, verdict.reason], ['allow', 'unregistered']);
		const others = calls.filter((call) => !call.startsWith('write'));
		assert.equal(others, [asked, 'reread']);
		// The API server has a DELETE reviewed again whenever the pod has changed: what follows must write nothing.
		if (asked === 'lookup') assert.equal(calls, ['lookup', 'reread']);
		await clock.pass(5_100);
	}
	assert.is(ports.now(), noon + 77_300, 'and the reviews of one DELETE wait once');
	assert.is(current().unregistered, undefined);
});
test('an ephemeral runner that GitHub lacks: noted, and let go when a list begun a minute later lacks it', async () => {
	const first = world(seen(), absentAt(noon + 60_000));
	const denied = await release(first.pod(), alice, first.ports);
	assert.equal([denied.verdict.reason, denied.recorded], ['unregistering', true]);
	assert.is(first.calls.at(-1), 'write absent-since+unregistration-claim');
	await first.clock.pass(60_000);
	first.ports.account = world(seen(), absentAt(noon + 120_000)).ports.account;
	first.calls.length = 0;
	const { verdict, pod: after } = await release(first.pod(), alice, first.ports);
	assert.equal([verdict.kind, verdict.reason, after.unregistered], ['allow', 'unregistered', undefined]);
	assert.equal(
		first.calls,
		['reread'],
		'nothing is written: the API server would have the DELETE reviewed again',
	);
});
test('within that minute GitHub is not asked, and then only for its list', async () => {
	const { clock, ports, calls, pod: current } = world(seen(), absentAt(noon + 60_000));
	await release(current(), alice, ports);
	calls.length = 0;
	await clock.pass(59_999);
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistering');
	assert.equal(calls, []);
	await clock.pass(1);
	await release(current(), alice, ports);
	assert.equal(calls, ['lookup']);
});
test("ARC has unregistered a runner: nothing but a look into GitHub's list, and a DELETE only where the list still has it (I2)", async () => {
	const said = (change: Parameters<typeof pod>[0] = {}) => {
		const object = seen(change);
		object.metadata.annotations = {
			...object.metadata.annotations,
			'actions-runner/unregistration-complete-timestamp': '2026-11-23T12:00:30Z',
		};
		return object;
	};
	const fixedGone = world(said(fixed), absentAt(noon + 60_000));
	assert.is((await release(fixedGone.pod(), alice, fixedGone.ports)).verdict.reason, 'unregistered');
	// Nothing is written: each write has ARC's or the garbage collector's DELETE reviewed, and the list read, once more.
	assert.equal(fixedGone.calls, ['lookup', 'reread']);
	const gone = world(said(), absentAt(noon + 60_000));
	assert.is((await release(gone.pod(), alice, gone.ports)).verdict.reason, 'unregistered');
	assert.equal(gone.calls, ['lookup', 'reread']);
	const blind = world(said(), { ...absentAt(noon + 60_000), log: [unread] });
	assert.is((await release(blind.pod(), alice, blind.ports)).verdict.reason, 'unregistering');
	assert.equal(blind.calls, ['lookup', `write ${recorded}+absent-since`]);
	const there = world(said());
	await release(there.pod(), alice, there.ports);
	assert.equal(
		there.calls.filter((call) => !call.startsWith('write')),
		['lookup', 'unregister', 'reread'],
	);
	const lookup = { kind: 'github-unavailable', detail: '502' } as const;
	const unknown = world(said(), { lookup });
	assert.is((await release(unknown.pod(), alice, unknown.ports)).verdict.reason, 'github-unavailable');
	assert.equal(unknown.calls, ['lookup', `write ${recorded}`]);
});
test('... and a runner that is listed again starts anew', async () => {
	const { clock, ports, pod: current } = world(seen(), absentAt(noon + 60_000));
	await release(current(), alice, ports);
	assert.ok(current().absentSinceMs);
	await clock.pass(60_000);
	const account = (await ports.account(current())) as RunnerAccount;
	ports.account = async () => ({
		...account,
		lookup: async () => ({ kind: 'present', busy: false, online: true }),
		async unregister(_pod, { found }) {
			await found(7);
			return { kind: 'busy', message: 'busy', runnerId: 7 };
		},
	});
	await release(current(), alice, ports);
	assert.is(current().absentSinceMs, undefined);
});
test('a DELETE whose turn came late is not sent to a runner that has got a job since', async () => {
	for (const [log, waitsMs, sent] of [
		[[idle], 20_000, true],
		[[idle, works], 900, true], // the turn came at once: the log was just read
		[[idle, works], 20_000, false],
		[[idle, unread], 20_000, true], // it has said idle, and nobody objects
	] as const) {
		const { clock, ports, calls, pod: current } = world(undefined, { log: [...log] });
		const account = (await ports.account(current())) as RunnerAccount;
		ports.account = async () => ({
			...account,
			async unregister(asked, options) {
				await clock.sleep(waitsMs);
				return (await options.stillIdle()) ? account.unregister(asked, options) : { kind: 'withheld' };
			},
		});
		const { verdict } = await release(current(), alice, ports, { answerByMs: ports.now() + 30_000 });
		assert.is(calls.includes('unregister'), sent, `${log[log.length - 1]?.says} after ${waitsMs} ms`);
		if (sent) continue;
		assert.equal([verdict.kind, verdict.reason], ['deny', 'unregistering']);
		assert.is(current().attempt, undefined, 'nobody has to wait for it');
		assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
	}
});
test('... nor where a hook or a list has reported its job meanwhile, or the pod cannot be read', async () => {
	const changes: ((pod: RunnerPod) => RunnerPod | 'gone')[] = [
		(pod) => ({
			...pod,
			signals: [{ by: 'hook', key: 'a', state: 'working', sinceMs: 0, job: { name: 'build' } }],
		}),
		(pod) => ({ ...pod, busyHint: { sinceMs: undefined, job: undefined } }),
		() => 'gone',
		() => {
			throw new Error('no answer');
		},
	];
	for (const change of changes) {
		const { clock, ports, pod: current } = world();
		const account = (await ports.account(current())) as RunnerAccount;
		let asked: boolean | undefined;
		ports.reread = async () => change(current());
		ports.account = async () => ({
			...account,
			async unregister(_pod, options) {
				await clock.sleep(20_000);
				asked = await options.stillIdle();
				return { kind: 'withheld' };
			},
		});
		await release(current(), alice, ports, { answerByMs: ports.now() + 30_000 });
		assert.is(asked, false);
	}
});
test('GitHub says 204 once: if the API server is away it is written when it is back', async () => {
	const { clock, ports, pod: current } = world();
	const { write } = ports;
	let failures = 2;
	ports.write = async (...change) => {
		if (progress.proof in change[1].annotations && failures-- > 0) throw new Error('no answer');
		return write(...change);
	};
	let exchange: Promise<unknown> | undefined;
	ports.background = (work) => {
		exchange = work;
	};
	const soon = { answerByMs: ports.now() + budgetMs, priority: 'request' } as const;
	const releasing = releaseNow(current(), alice, ports, soon);
	await clock.pass(5_000);
	assert.is((await releasing).verdict.reason, 'github-slow');
	await exchange;
	assert.ok(current().unregistered);
});
/** A world in which the proof's first writes meet another writer, who has changed the pod as `meanwhile` says. */
function contended(conflicts: number, meanwhile: (pod: RunnerPod) => Partial<RunnerPod> = () => ({})) {
	const { ports, calls, pod: current } = world();
	const { write, reread } = ports;
	let left = conflicts;
	let changed = false;
	const labels: (object | undefined)[] = [];
	ports.write = async (on, change, onlyIfUnchanged) => {
		if (!(progress.proof in change.annotations)) return write(on, change, onlyIfUnchanged);
		labels.push(change.labels);
		if (onlyIfUnchanged && left-- > 0) {
			changed = true;
			return 'conflict';
		}
		return write(on, change);
	};
	ports.reread = async (asked) => {
		const fresh = await reread(asked);
		return typeof fresh === 'string' || !changed ? fresh : { ...fresh, ...meanwhile(fresh) };
	};
	return { ports, calls, current, labels };
}
const worksByHook: RunnerPod['signals'] = [
	{ by: 'hook', key: 'a', state: 'working', sinceMs: noon, job: { name: 'build' } },
];
const taken = { 'actions-runner/busy': null };

test('204, and somebody else has just written on the pod: the label goes from the version that was read', async () => {
	const { ports, current, labels } = contended(2);
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
	assert.equal(labels, [taken, taken, taken]);
});
test('204, and a hook has just reported a job: its label stays, and the pod is kept', async () => {
	const { ports, calls, current, labels } = contended(1, () => ({ signals: worksByHook }));
	const { verdict } = await release(current(), alice, ports);
	assert.equal([verdict.kind, verdict.reason], ['deny', 'busy']);
	assert.equal(labels[0], taken);
	assert.ok(
		labels.slice(1).every((label) => label === undefined),
		JSON.stringify(labels),
	);
	assert.ok(calls.includes('refuted by build'), calls.join(', '));
});
test('204, and others write all the time: the proof is written in any case, and the label stays', async () => {
	const { ports, current, labels } = contended(Number.POSITIVE_INFINITY);
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
	assert.equal(labels, [taken, taken, taken, undefined]);
});
test('204, and this replica no longer leads: the proof is written without the label', async () => {
	const { ports, pod: current } = world();
	const { write } = ports;
	ports.write = async (on, change, onlyIfUnchanged) => {
		if (progress.proof in change.annotations && onlyIfUnchanged)
			throw new Error('this replica does not lead');
		return write(on, change);
	};
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
	assert.ok(current().unregistered);
});
test('the pod changed under us: read again and judged again', async () => {
	const { ports, calls, pod, conflict } = world();
	conflict(2);
	assert.is((await release(pod(), alice, ports)).verdict.kind, 'allow');
	assert.equal(calls.slice(0, 4), ['conflict', 'reread', 'conflict', 'reread']);
});
test('a pod that never stops changing is denied, not let go', async () => {
	const { ports, pod, conflict, calls } = world();
	conflict(99);
	assert.equal((await release(pod(), alice, ports)).verdict.reason, 'internal-error');
	assert.not(calls.includes('unregister'));
});
test('not registered yet: denied and recorded (A7)', async () => {
	const { ports, pod } = world(undefined, absentAt(noon + 60_000));
	const { verdict, recorded } = await release(pod(), alice, ports);
	assert.equal([verdict.reason, recorded], ['registering', true]);
});
test("the Kubernetes API failing is the caller's to see: nothing is allowed by it", async () => {
	const { ports, pod } = world();
	ports.write = async () => {
		throw new Error('etcd is down');
	};
	try {
		await release(pod(), alice, ports);
		assert.unreachable('must throw');
	} catch (error) {
		assert.match(String(error), 'etcd is down');
	}
});

for (const request of [alice, { ...alice, dryRun: true }, undefined]) {
	test(`another pod is the runner of this name: GitHub is not even asked (${request ? `dry run: ${request.dryRun}` : 'from the leader'})`, async () => {
		const { ports, calls, pod: current } = world(pod(), { nameTaken: true });
		const { verdict } = await release(current(), request, ports);
		assert.equal(verdict, { kind: 'deny', reason: 'name-taken', detail: undefined });
		assert.equal(calls, request?.dryRun === false ? [`write ${recorded}`] : []);
	});
}

const busyPod = () => pod({ metadata: { labels: { 'actions-runner/busy': 'true' } } });

test('a dry run over a forged complete-timestamp writes nothing and sends no DELETE (A15, invariant 8)', async () => {
	const {
		ports,
		calls,
		pod: current,
	} = world(saidToBeUnregistered(), { lookup: { kind: 'present', busy: false, online: true } });
	const { verdict, recorded } = await release(current(), { ...alice, dryRun: true }, ports);
	assert.equal([verdict.kind, recorded, calls], ['allow', 'dry-run', ['lookup']]);
});
test('no credentials: denied and recorded, nobody is asked (I7)', async () => {
	const { ports, calls, pod: current } = world();
	ports.account = async () => ({ kind: 'credentials-missing', detail: 'no Secret' });
	const { verdict } = await release(current(), alice, ports);
	assert.equal(verdict, { kind: 'deny', reason: 'credentials-missing', detail: 'no Secret' });
	assert.equal(calls, [`write ${recorded}`]);
});
test('a look into the list has the time of its caller, 100 ms at least', async () => {
	const asked: { timeoutMs: number; recent: boolean }[] = [];
	for (const budget of [3_000, 50]) {
		const { ports, pod: current } = world();
		const account = (await ports.account(current())) as RunnerAccount;
		ports.account = async () => ({
			...account,
			async lookup(_runner, options) {
				asked.push(options);
				return { kind: 'absent', begunMs: noon };
			},
		});
		const answerByMs = ports.now() + budget;
		await release(current(), { ...alice, dryRun: true }, ports, { answerByMs, priority: 'request' });
	}
	assert.equal(asked, [
		{ timeoutMs: 3_000, recent: false },
		{ timeoutMs: 100, recent: false },
	]);
});
test('the pod is gone while the attempt is written, or when it is read again: nothing is asked, and it may be deleted', async () => {
	for (const answer of ['gone', 'conflict'] as const) {
		const { ports, calls, pod: current } = world();
		ports.write = async () => answer;
		ports.reread = async () => 'gone';
		const { verdict } = await release(current(), alice, ports);
		assert.equal([verdict.kind, verdict.reason, calls], ['allow', 'already-terminating', []]);
	}
});

/** How long the caller waits for a GitHub that does not answer, ms. */
async function waits(attempt: string | undefined): Promise<number> {
	const annotations: Record<string, string> =
		attempt === undefined ? {} : { 'actions-runner/unregistration-claim': attempt };
	const {
		clock,
		ports,
		pod: current,
	} = world(pod({ metadata: { annotations } }), { unregister: new Promise(() => {}) });
	let denied = false;
	const answerByMs = ports.now() + 3_000;
	void releaseNow(current(), alice, ports, { answerByMs, priority: 'request' }).then(() => {
		denied = true;
	});
	return clock.until('it is denied', () => denied, 60_000);
}
test('the second review of one DELETE has only what is left of the first one’s time (F8)', async () => {
	const attempt = (agoMs: number, by = 'me') => `${new Date(noon + 60_000 - agoMs).toISOString()} ${by}`;
	assert.is(await waits(undefined), 3_000);
	assert.is(await waits(attempt(1_000)), 2_000);
	assert.is(await waits(attempt(3_500)), 100, 'long enough for an answer that is there already');
	assert.is(await waits(attempt(10_000)), 3_000, 'that was another DELETE');
	assert.is(await waits(attempt(40_000, 'another')), 3_000);
	assert.is(await waits(attempt(-60_000)), 3_000, 'an attempt in the future does not count');
});
test('an answer leaves no timer behind', async () => {
	const { clock, ports, pod: current } = world();
	await release(current(), alice, ports);
	assert.is(clock.waiting, 0);
});
test('the EphemeralRunner of a scale-set pod goes with it, if it was found', async () => {
	for (const found of [true, false]) {
		const { ports, calls, pod: current } = world();
		const owner = { name: 'er', uid: 'er-1', found };
		const { write } = ports;
		const { reread } = ports;
		const owned = (pod: RunnerPod | string) => (typeof pod === 'string' ? 'gone' : { ...pod, owner });
		ports.write = async (...change) => owned(await write(...change));
		ports.reread = async (pod) => owned(await reread(pod));
		await release({ ...current(), owner }, alice, ports);
		assert.is(calls.includes('delete EphemeralRunner'), found);
	}
});
test('two ask at once: the record is written on the pod as it is now, in the end whatever happens (invariant 4)', async () => {
	for (const [times, tries] of [
		[2, 3],
		[99, 4],
	] as const) {
		const { ports, calls, conflict, pod: current } = world(busyPod());
		conflict(times);
		const released = await release(current(), alice, ports);
		assert.equal([released.verdict.reason, released.recorded], ['busy', true]);
		assert.is(calls.filter((call) => call === 'conflict').length, tries - 1);
		assert.is(calls.at(-1), `write ${recorded}`);
	}
});
test('somebody else was quicker to record: theirs stays, and it counts as recorded', async () => {
	const { ports, conflict, calls, pod: current } = world(busyPod());
	conflict(1);
	const theirs = {
		...current(),
		record: { requestedAt: '', requestedBy: 'bob', options: { via: 'delete' as const } },
	};
	ports.reread = async () => theirs;
	const released = await release(current(), alice, ports);
	assert.equal([released.recorded, released.pod.record?.requestedBy, calls], [true, 'bob', ['conflict']]);
});
test('the pod goes while the record is written: nothing is recorded, said so, and not tried for ever', async () => {
	for (const answer of ['gone', 'conflict'] as const) {
		const { ports, pod: current } = world(busyPod());
		let reads = 0;
		let writes = 0;
		ports.write = async () => {
			writes += 1;
			assert.ok(writes < 10, 'it is tried for ever');
			return answer;
		};
		ports.reread = async () => {
			reads += 1;
			return 'gone';
		};
		const released = await release(current(), alice, ports);
		assert.equal(
			[released.verdict.reason, released.recorded, reads],
			['already-terminating', false, answer === 'gone' ? 0 : 1],
		);
	}
});
test('the leader asks for nothing to be recorded, and nothing is', async () => {
	const { ports, calls, pod: current } = world(busyPod());
	assert.equal([(await release(current(), undefined, ports)).recorded, calls], [false, []]);
});

test('a runner that is still registering: the attempt stays, since it waits anyway', async () => {
	const { ports, calls, pod: current } = world(undefined, absentAt(noon + 60_000));
	await release(current(), alice, ports);
	assert.equal(calls, [`write ${recorded}+unregistration-claim`, 'unregister']);
});
test('somebody else records while GitHub’s list is looked into: theirs stays, and nothing is written over it', async () => {
	const object = seen();
	object.metadata.annotations = {
		...object.metadata.annotations,
		'actions-runner/unregistration-complete-timestamp': '2026-11-23T12:00:30Z',
	};
	const {
		ports,
		calls,
		conflict,
		pod: current,
	} = world(object, { ...absentAt(noon + 60_000), log: [unread] });
	conflict(2); // what was read before is never what is there
	ports.reread = async () => ({
		...current(),
		record: { requestedAt: '', requestedBy: 'bob', options: { via: 'delete' as const } },
	});
	const released = await release(current(), alice, ports);
	assert.equal([released.verdict.reason, released.pod.record?.requestedBy], ['unregistering', 'bob']);
	assert.equal(calls, ['lookup', 'conflict', 'conflict']);
	// Nobody has asked: a change of the pod in between takes nothing away from what GitHub said.
	const loop = world(structuredClone(object), { ...absentAt(noon + 60_000), log: [unread] });
	loop.conflict(1);
	await release(loop.pod(), undefined, loop.ports);
	assert.equal(loop.calls, ['lookup', 'write absent-since']);
});
test('a 204 that cannot be written in 20 tries is an error, and lets nothing go', async () => {
	const { clock, ports, pod: current } = world();
	const { write } = ports;
	let tries = 0;
	ports.write = async (...change) => {
		if (!(progress.proof in change[1].annotations)) return write(...change);
		tries += 1;
		throw new Error('etcd is down');
	};
	let failed: unknown;
	ports.background = (work) => void work.catch((error: unknown) => (failed = error));
	const soon = { answerByMs: ports.now() + budgetMs, priority: 'request' } as const;
	const releasing = releaseNow(current(), alice, ports, soon);
	await clock.pass(60_000);
	assert.is((await releasing).verdict.reason, 'github-slow');
	assert.equal([tries, String(failed)], [20, 'Error: etcd is down']);
});

test('absence that allows the deletion ends the attempt on the pod, also where the pod changes meanwhile', async () => {
	const attempt = { 'actions-runner/unregistration-claim': `${new Date(noon).toISOString()} other` };
	const since = absentOf(readRunnerPod(pod())!, noon - 60_000, signer.signStatement) as Record<
		string,
		string
	>;
	const object = seen();
	object.metadata.annotations = { ...object.metadata.annotations, ...since, ...attempt };
	const gone = world(object, absentAt(noon + 60_000));
	assert.is((await release(gone.pod(), alice, gone.ports)).verdict.kind, 'allow');
	assert.equal(gone.calls, ['lookup', 'write unregistration-claim', 'reread']);
	const changing = world(structuredClone(object), absentAt(noon + 60_000));
	changing.conflict(1);
	assert.is((await release(changing.pod(), alice, changing.ports)).verdict.kind, 'allow');
	assert.equal(changing.calls, ['lookup', 'conflict', 'reread']);
});

test('the pod goes while its absence from GitHub’s list is noted: nothing is said to be recorded', async () => {
	const object = seen();
	object.metadata.annotations = {
		...object.metadata.annotations,
		'actions-runner/unregistration-complete-timestamp': '2026-11-23T12:00:30Z',
	};
	const { ports, pod: current } = world(object, { ...absentAt(noon + 60_000), log: [unread] });
	ports.write = async () => 'gone';
	const released = await release(current(), alice, ports);
	assert.equal([released.verdict.reason, released.recorded], ['already-terminating', false]);
});

test('its log says that it works: denied without a call to GitHub, and the job is on the pod with the record', async () => {
	const { ports, calls, pod: current } = world(undefined, { log: [works] });
	const { verdict, pod: after } = await release(current(), alice, ports);
	assert.equal([verdict.kind, verdict.reason], ['deny', 'busy']);
	assert.equal(calls, [`write ${recorded}+job-claims`]);
	assert.is(after.signals[0]?.job.name, 'build');
	assert.is(current().signals[0]?.by, 'log');
	// Asked again: an ephemeral runner ends with its job, so not even its log is read.
	calls.length = 0;
	assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
	assert.equal(calls, []);
});
test('... and a dry run says the same and writes nothing (A15)', async () => {
	const { ports, calls, pod: current } = world(undefined, { log: [works] });
	const { verdict, pod: after } = await release(current(), { ...alice, dryRun: true }, ports);
	assert.equal([verdict.reason, after.signals[0]?.job.name, calls], ['busy', 'build', []]);
});
test('... and to a runner that ARC removes only the record is written, for ARC asks GitHub at each change', async () => {
	const annotations = { 'actions-runner/unregistration-request-timestamp': '2026-11-23T12:00:30Z' };
	const { ports, calls, pod: current } = world(pod({ metadata: { annotations } }), { log: [works] });
	await release(current(), alice, ports);
	await release(current(), alice, ports);
	assert.equal(calls, [`write ${recorded}`]);
});
test('... and what the log says is not written twice', async () => {
	const { ports, calls, pod: current } = world(pod(fixed), { log: [works] });
	await release(current(), alice, ports);
	calls.length = 0;
	await release(current(), alice, ports);
	assert.equal(calls, []);
});
test('a static runner that its log alone showed at work goes when the log shows it idle', async () => {
	const { ports, calls, pod: current } = world(pod(fixed), { log: [works, idle] });
	assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
	assert.ok(calls.includes('write unregistration-claim+job-claims'));
	assert.equal(current().signals, []);
});
test('GitHub answers 204 to a runner that then has a job: the proof is removed, that is reported, and the pod stays', async () => {
	for (const change of [{}, fixed]) {
		const { ports, calls, pod: current } = world(pod(change), { log: [idle, works] });
		const { verdict } = await release(current(), alice, ports);
		assert.equal([verdict.kind, verdict.reason], ['deny', 'busy']);
		assert.is(current().unregistered, undefined);
		assert.equal(calls.slice(-2), [
			'write job-claims+unregistered-at+unregistration-proof',
			'refuted by build',
		]);
		assert.is((await release(current(), alice, ports)).verdict.reason, 'busy', 'and it stays so');
		assert.is(calls.filter((call) => call === 'unregister').length, 1);
	}
});
test('... a dry run names the job that the log has just shown, and leaves the proof where it is', async () => {
	const { ports, calls, pod: current } = world(pod(fixed), { log: [idle, idle, works] });
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
	calls.length = 0;
	const denied = await release(current(), { ...alice, dryRun: true }, ports);
	assert.is(denied.verdict.reason, 'busy');
	assert.equal(
		denied.pod.signals.map(({ job }) => job.name),
		['build'],
	);
	assert.equal(calls, ['reread'], 'nothing is written or reported');
	assert.ok(current().unregistered);
});
test('... also where a hook reports in the quiet period, whatever the log says', async () => {
	const { ports, pod: current } = world();
	const reported = { by: 'hook', key: 'a', state: 'working', sinceMs: 0, job: { name: 'build' } } as const;
	const { reread } = ports;
	ports.reread = async (asked) => {
		const fresh = await reread(asked);
		return typeof fresh === 'string' ? fresh : { ...fresh, signals: [reported], unregistered: undefined };
	};
	assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
});
test('... also where a hook reported while GitHub was asked: the proof is removed, and that is reported once', async () => {
	const { ports, calls, pod: current } = world();
	const signals = [{ by: 'hook', key: 'a', state: 'working', sinceMs: 0, job: { name: 'build' } }] as const;
	const account = (await ports.account(current())) as RunnerAccount;
	ports.account = async () => ({
		...account,
		unregister: async (asked, options) => {
			await ports.write(asked, { annotations: signalsOf({ ...asked, signals }, ports.sign) });
			return account.unregister(asked, options);
		},
	});
	for (const request of [alice, { ...alice, dryRun: true }, alice])
		assert.is((await release(current(), request, ports)).verdict.reason, 'busy');
	assert.is(current().unregistered, undefined);
	assert.equal(calls.slice(-3), [
		`write ${proven}`,
		'write unregistered-at+unregistration-proof',
		'refuted by build',
	]);
});
test('... also where a scale set’s listener names the job in the quiet period, and its log cannot be read', async () => {
	const { ports, calls, pod: current } = world(undefined, { log: [idle, unread] });
	const { reread } = ports;
	ports.reread = async (asked) => {
		const fresh = await reread(asked);
		const busyHint = { sinceMs: undefined, job: 'build (octo-org/app)' };
		return typeof fresh === 'string' ? fresh : { ...fresh, kind: 'scale-set', busyHint };
	};
	const { verdict } = await release(current(), alice, ports);
	assert.equal([verdict.kind, verdict.reason], ['deny', 'busy']);
	assert.is(current().unregistered, undefined);
	assert.is(calls.at(-1), 'refuted by build (octo-org/app)');
});
test('the pod is gone in the quiet period: it may be deleted', async () => {
	const { ports, calls, pod: current } = world();
	ports.reread = async () => 'gone';
	assert.is((await release(current(), alice, ports)).verdict.reason, 'already-terminating');
	assert.is(calls.filter((call) => call === 'unregister').length, 1);
});
test('... also where the proof is gone by then: the job that took it away has completed, or its container has been restarted', async () => {
	const finishing = { by: 'hook', key: 'a', state: 'finishing', sinceMs: 0, job: { name: 'build' } } as const;
	for (const [change, reason] of [
		[{ signals: [finishing] }, 'busy'],
		[{ restarts: 1, scope: undefined }, 'scope-unknown'],
	] as const) {
		const { ports, pod: current } = world();
		const { reread } = ports;
		ports.reread = async (asked) => {
			const fresh = await reread(asked);
			return typeof fresh === 'string' ? fresh : { ...fresh, unregistered: undefined, ...change };
		};
		const { verdict } = await release(current(), alice, ports);
		assert.equal([verdict.kind, verdict.reason], ['deny', reason]);
	}
});
test('a busy label on a legacy pod takes no 204 away: it may come of a list from before it', async () => {
	const { ports, pod: current } = world();
	const { reread } = ports;
	ports.reread = async (asked) => {
		const fresh = await reread(asked);
		return typeof fresh === 'string' ? fresh : { ...fresh, busyHint: { sinceMs: 0, job: undefined } };
	};
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
});
test('a dry run in the quiet period deletes no EphemeralRunner (A15)', async () => {
	const { ports, calls, pod: current } = world();
	await release(current(), alice, ports, { waitsQuiet: false });
	const owner = { name: 'er', uid: 'er-1', found: true };
	ports.reread = async () => ({ ...current(), owner });
	await release({ ...current(), owner }, { ...alice, dryRun: true }, ports);
	assert.not(calls.includes('delete EphemeralRunner'));
});
test('the pod goes while GitHub answers 204: it may be deleted, and no quiet period is waited for', async () => {
	const { ports, pod: current } = world();
	const { write } = ports;
	ports.write = async (...change) => (change[1].labels ? 'gone' : write(...change));
	const at = ports.now();
	assert.is((await release(current(), alice, ports)).verdict.reason, 'already-terminating');
	assert.is(ports.now(), at);
});
test('a dry run just after ARC has unregistered the runner waits for nothing (A15)', async () => {
	const object = seen();
	const at = '2026-11-23T12:00:59.500Z';
	object.metadata.annotations = {
		...object.metadata.annotations,
		'actions-runner/unregistration-complete-timestamp': at,
	};
	const { ports, calls, pod: current } = world(object, absentAt(noon + 60_000));
	const { verdict } = await release(current(), { ...alice, dryRun: true }, ports);
	assert.equal([verdict.kind, ports.now(), calls], ['allow', noon + 60_000, ['lookup', 'reread']]);
});
test('no time is left for the quiet period: denied, recorded, and the loop goes on', async () => {
	for (const limits of [{ waitsQuiet: false }, { answerByMs: noon + 61_000 }]) {
		const { clock, ports, calls, pod: current } = world();
		const denied = await release(current(), alice, ports, limits);
		assert.equal([denied.verdict.kind, denied.verdict.reason], ['deny', 'unregistering']);
		assert.ok(denied.pod.unregistered);
		await clock.pass(2_000);
		calls.length = 0;
		assert.is((await release(current(), undefined, ports, { waitsQuiet: false })).verdict.kind, 'allow');
		assert.equal(calls, ['reread']);
	}
});
test('a log that cannot be read: two lists, a minute apart, must show the runner idle before GitHub is asked to remove it', async () => {
	const { clock, ports, calls, pod: current } = world(undefined, { log: [unread] });
	const first = await release(current(), alice, ports);
	assert.equal([first.verdict.reason, first.recorded], ['unconfirmed', true]);
	assert.equal(calls, ['recent lookup', `write ${recorded}+idle-since`]);
	await clock.pass(59_000);
	calls.length = 0;
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unconfirmed');
	assert.equal(calls, ['recent lookup']);
	await clock.pass(1_000);
	calls.length = 0;
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
	assert.is(calls[0], 'lookup', 'the second list is one that is begun now');
	assert.ok(calls.includes('unregister'));
});
test('... which a dry run foretells (A15)', async () => {
	const { clock, ports, pod: current } = world(undefined, { log: [unread] });
	const dry = async () => (await release(current(), { ...alice, dryRun: true }, ports)).verdict;
	assert.equal(await dry(), { kind: 'deny', reason: 'unconfirmed', detail: 'its log cannot be read' });
	await release(current(), alice, ports);
	await clock.pass(60_000);
	assert.is((await dry()).kind, 'allow');
});
test('a dry run in the quiet period after a 204 waits for nothing: it says what the sources say now', async () => {
	for (const [last, kind] of [
		[idle, 'allow'],
		[works, 'deny'],
	] as const) {
		const { ports, calls, pod: current } = world(undefined, { log: [idle, last] });
		await release(current(), alice, ports, { waitsQuiet: false });
		calls.length = 0;
		const at = ports.now();
		assert.is((await release(current(), { ...alice, dryRun: true }, ports)).verdict.kind, kind);
		assert.equal([ports.now(), calls], [at, ['reread']]);
	}
});
test('... or an event of GitHub has said that the job of a static runner completed, and its list agrees', async () => {
	for (const busy of [false, true]) {
		const {
			ports,
			calls,
			pod: current,
		} = world(pod(fixed), {
			log: [unread],
			lookup: { kind: 'present', busy, online: true },
		});
		const finishing = { by: 'event', key: '7', state: 'finishing', sinceMs: 0, job: { name: 'x' } } as const;
		const asked = { ...current(), signals: [finishing] };
		const { verdict } = await release(asked, alice, ports);
		assert.is(verdict.reason, busy ? 'busy' : 'unregistered');
		assert.is(calls.includes('unregister'), !busy);
	}
});
test('its log has shown a job and cannot be read any more: a static runner works until the log or long contradiction ends it', async () => {
	const log = [works, unread];
	for (const lookup of [
		{ kind: 'present', busy: false, online: true } as const,
		absentAt(noon + 121_000).lookup,
	]) {
		const object = seen(fixed);
		const runner = readRunnerPod(object)!;
		// Before the job, lists had lacked it, or shown it idle.
		const since = {
			...absentOf(runner, noon, signer.signStatement),
			...idleOf(runner, noon, signer.signStatement),
		};
		object.metadata.annotations = merged(object.metadata.annotations, since);
		const { clock, ports, calls, pod: current } = world(object, { lookup, log });
		assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
		await clock.pass(61_000);
		calls.length = 0;
		for (const request of [alice, { ...alice, dryRun: true }])
			assert.is((await release(current(), request, ports)).verdict.reason, 'busy');
		assert.equal(calls, []);
	}
});
test('... also where it is read after a 204: the proof is taken away', async () => {
	const { ports, calls, pod: current } = world(pod(fixed), { log: [idle, unread] });
	const { reread } = ports;
	const logged = { by: 'log', key: 'a', state: 'working', sinceMs: 0, job: { name: 'build' } } as const;
	ports.reread = async (asked) => {
		const fresh = await reread(asked);
		return typeof fresh === 'string' ? fresh : { ...fresh, signals: [logged] };
	};
	assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
	assert.is(calls.at(-1), 'refuted by build');
	assert.is(current().unregistered, undefined);
});
test('a job that the log shows between two lists: what the first one showed no longer counts', async () => {
	const { clock, ports, pod: current } = world(pod(fixed), { log: [unread, works, idle, unread] });
	assert.is((await release(current(), alice, ports)).verdict.reason, 'unconfirmed');
	assert.ok(current().idleSinceMs);
	await clock.pass(30_000);
	assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
	assert.is(current().idleSinceMs, undefined);
});
test('... and so it is with a list that shows a job', async () => {
	const { clock, ports, calls, pod: current } = world(pod(fixed), { log: [unread] });
	await release(current(), alice, ports);
	await clock.pass(30_000);
	const account = (await ports.account(current())) as RunnerAccount;
	ports.account = async () => ({
		...account,
		lookup: async () => ({ kind: 'present', busy: true, online: true }),
	});
	assert.is((await release(current(), alice, ports)).verdict.reason, 'busy');
	assert.is(calls.at(-1), 'write idle-since');
	assert.is(current().idleSinceMs, undefined);
});
test('ARC has just unregistered a runner: it goes when the quiet period since the list is over (I2)', async () => {
	for (const at of ['2026-11-23T12:00:59.500Z', '2020-01-01T00:00:00Z', 'at noon']) {
		const { ports, calls, pod: current } = world(arcSays(at), absentAt(noon + 60_000));
		assert.is((await release(current(), alice, ports)).verdict.reason, 'unregistered');
		assert.is(ports.now(), noon + 62_000, at);
		assert.equal(calls, ['lookup', 'reread']);
	}
});
/** A registered runner of which ARC, or whoever may edit the pod, says that it was unregistered then. */
function arcSays(at: string, change: Parameters<typeof pod>[0] = {}) {
	const object = seen(change);
	const said = { 'actions-runner/unregistration-complete-timestamp': at };
	object.metadata.annotations = { ...object.metadata.annotations, ...said };
	return object;
}
test('a list lacks the runner, which has just got a job: the log is read once more after the list, and after the quiet period', async () => {
	const longAbsent = () => {
		const object = pod();
		const runner = readRunnerPod(object)!;
		const since = absentOf(runner, noon + 11 * 60_000, signer.signStatement);
		object.metadata.annotations = merged(object.metadata.annotations, since);
		return object;
	};
	for (const [name, object, begunMs] of [
		['a static one that GitHub had', seen(fixed), noon + 60_000],
		['an old complete-timestamp, which anybody may write', arcSays('2020-01-01T00:00:00Z'), noon + 60_000],
		['... on a static one', arcSays('2020-01-01T00:00:00Z', fixed), noon + 60_000],
		['one that was never listed', longAbsent(), noon + 13 * 60_000],
	] as const) {
		const { clock, ports, pod: current } = world(object, { ...absentAt(begunMs), log: [idle, works] });
		await clock.pass(begunMs - noon - 60_000);
		const { verdict, recorded: isRecorded } = await release(current(), alice, ports);
		assert.equal([verdict.kind, verdict.reason, isRecorded], ['deny', 'busy', true], name);
		assert.is(ports.now(), begunMs + 2_000, name);
		assert.is(current().signals[0]?.job.name, 'build');
	}
});
test('... also where ARC has taken its finalizer off the EphemeralRunner, and where a hook or the listener reports the job', async () => {
	const reported = { by: 'hook', key: 'a', state: 'working', sinceMs: 0, job: { name: 'build' } } as const;
	const goneLong = { saidToBeGone: { atMs: 0 } };
	for (const [log, change] of [
		[[idle, works], {}],
		[[idle], { signals: [reported] }],
		[[idle], { kind: 'scale-set', busyHint: { sinceMs: undefined, job: 'build' } }],
		[[idle, unread], { signals: [{ ...reported, by: 'log' }] }],
	] as const) {
		const { ports, pod: current } = world(seen(), { ...absentAt(noon + 60_000), log: [...log] });
		const { reread } = ports;
		ports.reread = async (asked) => {
			const fresh = await reread(asked);
			return typeof fresh === 'string' ? fresh : { ...fresh, ...goneLong, ...change };
		};
		const { verdict } = await release({ ...current(), ...goneLong }, alice, ports);
		assert.equal([verdict.kind, verdict.reason], ['deny', 'busy'], JSON.stringify(change));
		assert.is(ports.now(), noon + 62_000);
	}
});
test('... and a runner whose log cannot be read then, or that is listed by then, stays', async () => {
	const blind = world(seen(fixed), { ...absentAt(noon + 60_000), log: [idle, unread] });
	assert.is((await release(blind.pod(), alice, blind.ports)).verdict.reason, 'unregistering');
	const listed = world(arcSays('2020-01-01T00:00:00Z'), { ...absentAt(noon + 60_000), log: [idle] });
	const { reread } = listed.ports;
	listed.ports.reread = async (asked) => {
		const fresh = await reread(asked);
		return typeof fresh === 'string'
			? fresh
			: { ...fresh, saidToBeGone: undefined, busyAnswer: { atMs: 0, to: 'us' } };
	};
	assert.is((await release(listed.pod(), alice, listed.ports)).verdict.reason, 'busy');
	const gone = world(seen(fixed), absentAt(noon + 60_000));
	gone.ports.reread = async () => 'gone';
	assert.is((await release(gone.pod(), alice, gone.ports)).verdict.reason, 'already-terminating');
});
test('... a caller that cannot wait is denied, and its next try has the rest of the quiet period left', async () => {
	for (const limits of [{ waitsQuiet: false }, { answerByMs: noon + 61_000 }]) {
		const { clock, ports, pod: current } = world(seen(fixed), absentAt(noon + 60_000));
		const denied = await release(current(), alice, ports, limits);
		assert.equal(
			[denied.verdict.kind, denied.verdict.reason, denied.recorded],
			['deny', 'unregistering', true],
		);
		assert.is(ports.quiet.leftMs(denied.pod), 2_000);
		await clock.pass(1_500);
		assert.is(ports.quiet.leftMs(denied.pod), 500);
		assert.is((await release(current(), alice, ports)).verdict.kind, 'allow');
		assert.is(ports.now(), noon + 62_000);
	}
});
test('... the next review of the same DELETE, a moment later, reads its log once more and no list; a later one reads a list', async () => {
	const {
		clock,
		ports,
		calls,
		pod: current,
	} = world(arcSays('2020-01-01T00:00:00Z'), absentAt(noon + 60_000));
	const lists = () => calls.filter((call) => call === 'lookup').length;
	assert.is((await release(current(), alice, ports)).verdict.kind, 'allow');
	assert.is(lists(), 1);
	assert.is((await release(current(), alice, ports)).verdict.kind, 'allow');
	assert.is(lists(), 1);
	await clock.pass(5_100);
	await release(current(), alice, ports);
	assert.is(lists(), 2);
	ports.readLog = async () => ({ says: 'unknown', why: 'broken' });
	await release(current(), alice, ports);
	assert.is(lists(), 3, 'its log does not say that it is idle');
	ports.readLog = async () => works;
	assert.is((await release(current(), alice, ports)).verdict.reason, 'busy', 'it has got a job after all');
	assert.is(lists(), 3);
});
test('... a list that has the runner in between, or a quarter of a minute, and the quiet period begins anew', async () => {
	const { clock, ports, pod: current } = world(arcSays('2020-01-01T00:00:00Z'), absentAt(noon + 60_000));
	await release(current(), alice, ports, { waitsQuiet: false });
	await clock.pass(15_000);
	assert.is(ports.quiet.leftMs(current()), undefined);
	await release(current(), alice, ports, { waitsQuiet: false });
	assert.is(ports.quiet.leftMs(current()), 2_000);
	const account = (await ports.account(current())) as RunnerAccount;
	ports.account = async () => ({
		...account,
		lookup: async () => ({ kind: 'present', busy: true, online: true }),
	});
	await release(current(), alice, ports);
	assert.is(ports.quiet.leftMs(current()), undefined);
});

/** This pod as another replica has it, whose clock differs from that of the first by so much: it has seen nothing of it yet. */
function another(
	object: () => ReturnType<typeof pod>,
	aheadMs = 0,
	answers: Parameters<typeof world>[1] = {},
) {
	const other = world(object(), answers);
	other.clock.set(aheadMs);
	return other;
}
test('two replicas whose clocks differ: the one that did not ask GitHub waits for two seconds since it saw the proof', async () => {
	for (const aheadMs of [-3_600_000, -2_000, -500, 0, 500, 2_000, 3_600_000]) {
		for (const [log, kind] of [
			[[idle], 'allow'],
			[[works], 'deny'],
		] as const) {
			const first = world();
			await release(first.pod(), alice, first.ports, { waitsQuiet: false });
			const other = another(first.object, aheadMs, { log: [...log] });
			const beforeMs = other.clock.monotonic();
			const { verdict } = await release(other.pod(), alice, other.ports);
			assert.is(verdict.kind, kind);
			assert.is(other.clock.monotonic() - beforeMs, 2_000, `${aheadMs} ms`);
			// The next review of the same DELETE waits no longer.
			if (kind === 'allow') await release(other.pod(), alice, other.ports);
			assert.is(other.clock.monotonic() - beforeMs, 2_000, `${aheadMs} ms`);
		}
	}
});
test('the replica that has GitHub’s 204 counts from then, though it is written later, or somebody sets its clock', async () => {
	for (const setMs of [0, 3_600_000, -3_600_000]) {
		const { clock, ports, pod: current } = world();
		const { write } = ports;
		ports.write = async (...change) => {
			if (change[1].labels) {
				await new Promise<void>((resolve) => void ports.after(700, resolve));
				clock.set(setMs);
			}
			return write(...change);
		};
		const beforeMs = clock.monotonic();
		await release(current(), alice, ports, { answerByMs: Number.POSITIVE_INFINITY });
		assert.is(clock.monotonic() - beforeMs, 2_000, `${setMs} ms`);
	}
});
test('three reviews of one DELETE at three replicas: each waits once, however often it is asked', async () => {
	const first = world();
	const replicas = [first];
	let tookMs = 0;
	for (let review = 0; review < 6; review++) {
		const at = review % 3;
		replicas[at] ??= another(first.object);
		const { clock, ports, pod: current } = replicas[at];
		const beforeMs = clock.monotonic();
		assert.is((await release(current(), alice, ports)).verdict.kind, 'allow');
		tookMs += clock.monotonic() - beforeMs;
		if (review === 0) assert.is(tookMs, 2_000);
	}
	assert.is(tookMs, 6_000);
});

/** The log of a runner that has been given a job, in ways that hid its start from an earlier version. */
const hiddenStarts = ['a\u2028b', 'a\rb', 'a'].map(
	(name, index) =>
		`2026-11-23 12:00:00Z: Listening for Jobs\n${index === 2 ? '98 %' : ''}2026-11-23 12:00:59Z: Running job: ${name}\n`,
);

test('a start that a job’s name or a line without its end hides: the runner works, though GitHub lacks it or answers 204', async () => {
	for (const text of hiddenStarts) {
		const hidden = readRunnerLog(text, true);
		const lacking = world(seen(fixed), { ...absentAt(noon + 60_000), log: [hidden] });
		const wrong = world(seen(), { log: [idle, hidden] });
		for (const { ports, calls, pod: current } of [lacking, wrong]) {
			const { verdict } = await release(current(), alice, ports);
			assert.equal([verdict.kind, verdict.reason], ['deny', 'busy'], text);
			assert.is(current().signals[0]?.by, 'log');
			assert.is(current().unregistered, undefined);
			assert.is(calls.includes('unregister'), ports === wrong.ports);
		}
	}
});
test('behind an entrypoint that prefixes every line a static runner does not work for ever', async () => {
	const lines = [
		'2026-11-23 12:00:00Z: Listening for Jobs',
		'2026-11-23 12:00:10Z: Running job: build',
		'2026-11-23 12:00:20Z: Job build completed with result: Succeeded',
	].map((line) => `[entrypoint] ${line}\n`);
	// Its end is as unclear as its start: nothing is known, as where the log cannot be read.
	const over = world(seen(fixed), { log: [readRunnerLog(lines.join(''), true)] });
	assert.is((await release(over.pod(), alice, over.ports)).verdict.reason, 'unconfirmed');
	await over.clock.pass(60_000);
	assert.is((await release(over.pod(), alice, over.ports)).verdict.reason, 'unregistered');

	// No end is seen: it works, until GitHub's lists have ended that.
	const started = world(seen(fixed), { log: [readRunnerLog(lines.slice(0, 2).join(''), true)] });
	assert.is((await release(started.pod(), alice, started.ports)).verdict.reason, 'busy');
	const ended = started.pod().signals.map((signal) => ({ ...signal, state: 'over' as const }));
	await started.ports.write(started.pod(), {
		annotations: signalsOf({ ...started.pod(), signals: ended }, signer.signStatement),
	});
	assert.is((await release(started.pod(), alice, started.ports)).verdict.reason, 'unconfirmed');
	await started.clock.pass(60_000);
	assert.is((await release(started.pod(), alice, started.ports)).verdict.reason, 'unregistered');
	assert.ok(started.calls.includes('unregister'));
});

test('a hook reports while what the log says is written: neither signal removes the other', async () => {
	for (const proven of [false, true]) {
		const { ports, conflict, pod: current } = world(undefined, { log: proven ? [idle, works] : [works] });
		const hook = { by: 'hook', key: 'a', state: 'finishing', sinceMs: noon, job: { name: 'lint' } } as const;
		const { reread, write } = ports;
		let hasReported = false;
		ports.write = async (asked, change, onlyIfUnchanged) => {
			if ('actions-runner/job-claims' in change.annotations && !hasReported) {
				hasReported = true;
				const signals = signalsOf({ ...current(), signals: [hook] }, signer.signStatement);
				await write(asked, { annotations: signals });
				conflict(1);
			}
			return write(asked, change, onlyIfUnchanged);
		};
		ports.reread = reread;
		const { verdict } = await release(current(), alice, ports);
		assert.is(verdict.reason, 'busy');
		assert.equal(
			current()
				.signals.map(({ by }) => by)
				.toSorted(),
			['hook', 'log'],
			`after a 204: ${proven}`,
		);
	}
});

test.run();
