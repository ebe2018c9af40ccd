import * as assert from 'uvu/assert';
import {
	type Owner,
	type Phase,
	plan,
	refusedForMs,
	type SetState,
} from '../../../admission/sets/rules/plan.ts';
import { suite } from '../../support/suite.ts';

const test = suite('plan');
const now = Date.parse('2026-11-23T12:00:00Z');
const minute = 60_000;

let made = 0;
/** `idle*3 busy old-idle cordoned-idle`: owners in order of creation, oldest first. */
function owners(list: string): Owner[] {
	return list
		.split(' ')
		.filter(Boolean)
		.flatMap((item) => {
			const [what = '', times = '1'] = item.split('*');
			return Array.from({ length: Number(times) }, () => owner(what));
		});
}

function owner(kind: string, more: Partial<Owner> = {}): Owner {
	const phase = kind.split('-').at(-1) as Phase;
	made += 1;
	return {
		name: `r${made}`,
		uid: `u${made}`,
		createdMs: now - 30 * minute + made,
		templateHash: kind.includes('old-') ? 'old' : 'new',
		phase,
		onCordonedNode: kind.includes('cordoned-'),
		departing: kind.includes('departing-'),
		...(phase === 'starting' ? { sinceMs: now - 5_000 } : {}),
		...more,
	};
}

function state(replicas: number, more: Partial<SetState> = {}): SetState {
	return {
		replicas,
		templateHash: 'new',
		surge: 1,
		deleting: false,
		credentialsMissing: false,
		recreationDelayMs: undefined,
		accounting: { effectiveMs: 0, completionsMs: [], failedStarts: 0, briefEnds: 0, nextStartMs: 0 },
		...more,
	};
}

/** `create 2, release idle idle, remove completed` */
function summary(list: Owner[], set: SetState): string {
	const { create, release, remove } = plan(list, set, now);
	const said = (what: string, some: Owner[]) =>
		some.length > 0 ? [`${what} ${some.map(described).join(' ')}`] : [];
	const made = create > 0 ? [`create ${create}`] : [];
	return [...made, ...said('release', release), ...said('remove', remove)].join(', ') || 'nothing';
}

const described = ({ phase, templateHash, onCordonedNode }: Owner) =>
	`${templateHash === 'old' ? 'old-' : ''}${onCordonedNode ? 'cordoned-' : ''}${phase}`;

const table: [string, string, number, string, Partial<SetState>?][] = [
	['an empty set is filled at once', '', 5, 'create 5'],
	['a set that is right is left alone', 'idle*2 busy starting unbound', 5, 'nothing'],
	['what leaves is not counted', 'idle*2 leaving*3', 3, 'create 1'],
	['only what is missing is created', 'unbound*3 starting idle', 7, 'create 2'],
	['5 -> 3, the oldest 3 busy: exactly the 2 idle go (C1)', 'busy*3 idle*2', 3, 'release idle idle'],
	['5 -> 3, all busy: nothing is touched (C2)', 'busy*5', 3, 'nothing'],
	[
		'all busy, some complete: no replacement before 3 remain (C2)',
		'busy*3 completed*2',
		3,
		'remove completed completed',
	],
	['one that goes by itself takes a place, and nobody goes for it', 'departing-busy idle*2', 2, 'nothing'],
	['one that goes by itself is not replaced before it is gone', 'departing-busy idle', 2, 'nothing'],
	['scaled down to what remains: nothing to do', 'departing-busy busy idle', 2, 'nothing'],
	['scaled down further: an idle one goes too', 'departing-busy busy idle', 1, 'release idle'],
	['all busy and replicas back up: nothing to take back (C3)', 'busy*5', 5, 'nothing'],
	[
		'unbound first, then idle; starting ones stay until they are idle (C4, C5)',
		'starting idle unbound',
		0,
		'release unbound idle',
	],
	['0 -> 6 -> 0: what starts may get a job, and is left until it is idle', 'starting*6', 0, 'nothing'],
	['an outdated one that starts is left as well', 'old-starting', 1, 'create 1'],
	['unbound are trimmed before idle (C5)', 'idle*3 unbound*2', 3, 'release unbound unbound'],
	['a starting one stays as long as an idle one can go (C4)', 'starting idle', 1, 'release idle'],
	['idle on a cordoned node before other idle ones', 'idle cordoned-idle idle', 2, 'release cordoned-idle'],
	['a busy one does not block the removal of others (C8)', 'busy idle', 0, 'release idle'],
	['replicas 0: all idle go, busy finish (G8)', 'busy*2 idle*2', 0, 'release idle idle'],
	['replicas 0 and a completed one: it is not replaced (G8)', 'completed', 0, 'remove completed'],
	[
		'without an autoscaler a completed one is replaced at once (D9)',
		'idle*2 completed',
		3,
		'create 1, remove completed',
	],
	[
		'a pod that somebody deleted is replaced under another name',
		'idle stopping',
		2,
		'create 1, remove stopping',
	],
	[
		'200 completions: all removed in one pass (E2)',
		'completed*200',
		0,
		`remove ${Array(200).fill('completed').join(' ')}`,
	],
	[
		'deleting: no new ones, idle ones go, busy ones stay (G1)',
		'busy idle unbound',
		3,
		'release unbound idle',
		{ deleting: true },
	],
	[
		'credentials missing: nothing is created, nothing is released',
		'idle*3',
		1,
		'nothing',
		{ credentialsMissing: true },
	],
	['credentials missing: nothing is created', '', 4, 'nothing', { credentialsMissing: true }],
	['rollout: one more than wanted, and all idle stay until it is there (G4)', 'old-idle*3', 3, 'create 1'],
	['rollout: the new one has registered, one old idle one goes', 'old-idle*3 idle', 3, 'release old-idle'],
	['rollout: a new one that only starts replaces nobody', 'old-idle*3 starting', 3, 'nothing'],
	['rollout: the surge is a cap for busy ones too (G4)', 'old-busy*4', 4, 'create 1'],
	['rollout: the surge is used up', 'old-busy*4 idle', 4, 'nothing'],
	['rollout: a quarter at a time', 'old-idle*8', 8, 'create 2', { surge: 2 }],
	[
		'rollout: old ones that nobody waits for go at once',
		'old-unbound*2 old-starting',
		3,
		'create 1, release old-unbound old-unbound',
	],
	[
		'rollout: an old one that has not started takes no place of an idle one, which is not needed any more',
		'old-unbound idle*3 old-idle',
		3,
		'release old-unbound old-idle',
	],
	['rollout: done but for a busy one, which finishes', 'idle*3 old-busy', 3, 'nothing'],
	['rollout with a scale-down: old idle ones go first', 'old-idle*2 idle*3', 3, 'release old-idle old-idle'],
	[
		'rollout with a scale-down below what is idle: old ones down to the wanted number',
		'old-idle*5',
		3,
		'release old-idle old-idle',
	],
	['rollout at replicas 0: everything idle goes', 'old-idle idle', 0, 'release old-idle idle'],
];

for (const [promise, list, replicas, expected, more] of table) {
	test(promise, () => assert.is(summary(owners(list), state(replicas, more)), expected));
}

test('a rollout ends, whatever order runners register in, with never more than wanted + surge (G4, G7)', () => {
	for (const [replicas, surge] of [
		[1, 1],
		[3, 1],
		[8, 2],
		[50, 13],
	] as const) {
		let list = owners(`old-idle*${replicas}`);
		let most = 0;
		for (let pass = 0; pass < 200 && list.some(({ templateHash }) => templateHash === 'old'); pass++) {
			const { create, release } = plan(list, state(replicas, { surge }), now);
			list = list.filter((one) => !release.includes(one));
			for (const one of list) if (one.phase === 'unbound') one.phase = 'idle';
			list.push(...owners(create > 0 ? `unbound*${create}` : ''));
			most = Math.max(most, list.length);
			const available = list.filter(({ phase }) => phase === 'idle').length;
			assert.ok(available >= replicas, `${available} of ${replicas} can take a job`);
		}
		assert.is(list.filter(({ templateHash }) => templateHash === 'new').length, list.length);
		assert.is(list.length, replicas);
		assert.ok(most <= replicas + surge, `${most} runners`);
	}
});

test('100 random histories: never more than desired + surge, never a busy one touched (invariant 7)', () => {
	const random = (below: number) => Math.floor(Math.random() * below);
	for (let history = 0; history < 100; history++) {
		let list: Owner[] = [];
		let replicas = random(10);
		let surge = 1 + random(3);
		let templateHash = 'new';
		for (let step = 0; step < 60; step++) {
			if (random(8) === 0) replicas = random(12);
			if (random(12) === 0) templateHash = `hash-${step}`;
			if (random(20) === 0) surge = 1 + random(4);
			for (const one of list) {
				if (random(3) > 0) continue;
				const next: Record<string, Phase[]> = {
					unbound: ['starting', 'failed'],
					starting: ['idle', 'failed'],
					idle: ['busy', 'stopping'],
					busy: ['completed'],
				};
				const choices = next[one.phase];
				if (choices) one.phase = choices[random(5) === 0 ? choices.length - 1 : 0] ?? one.phase;
				one.sinceMs = now - random(20) * minute;
			}
			const { create, release, remove } = plan(list, state(replicas, { surge, templateHash }), now);
			assert.not.ok(
				release.some(({ phase }) => phase === 'busy'),
				'a busy one is released',
			);
			const before = list.filter(({ phase }) =>
				['unbound', 'starting', 'idle', 'busy'].includes(phase),
			).length;
			if (create > 0)
				assert.ok(before + create <= replicas + surge, `${before} + ${create} > ${replicas} + ${surge}`);
			const refused = new Set(release.filter(() => random(4) === 0));
			list = list.filter((one) => !remove.includes(one) && (!release.includes(one) || refused.has(one)));
			for (let index = 0; index < create; index++) list.push(owner('unbound', { templateHash }));
		}
	}
});

/** For the target of an autoscaler: so many wanted, and of these owners the first ones may go. */
const demanding = (desired: number, list: Owner[], mayGo = 0, more: Partial<SetState> = {}): SetState =>
	state(99, {
		demanded: { desired, mayGo: list.slice(0, mayGo).map(({ uid }) => uid), replace: [] },
		...more,
	});

const demandTable: [string, string, number, number, string, Partial<SetState>?][] = [
	['what is missing is created', 'busy idle', 5, 0, 'create 3'],
	['what ends is not replaced by itself', 'completed*3', 0, 0, 'remove completed completed completed'],
	['nor for `replicas`, which is 99 here', 'busy*2', 2, 0, 'nothing'],
	['too many idle ones stay as long as they may', 'idle*3 busy', 1, 0, 'nothing'],
	['those that may go do', 'idle*3 busy', 2, 2, 'release idle idle'],
	['never more than are too many', 'idle*3', 2, 3, 'release idle'],
	['never a busy one, whoever says that it may go', 'busy*2 idle', 1, 2, 'nothing'],
	['in the order in which they may go, whatever is more expendable', 'idle unbound', 1, 1, 'release idle'],
	[
		'what goes anyway takes a place of those that are wanted, and nobody is kept for it',
		'idle*2 departing-busy',
		1,
		2,
		'release idle idle',
	],
	['a departing one that is outdated is not replaced', 'old-departing-idle', 1, 0, 'nothing'],
	['nor a busy one', 'old-busy*4', 4, 0, 'nothing', { surge: 4 }],
	['an outdated idle one that is needed is', 'old-idle*2', 2, 0, 'create 1'],
	['and goes when the new one can take the job', 'old-idle idle', 1, 0, 'release old-idle'],
	[
		'also beside a departing one with a long job',
		'old-departing-busy old-idle*2 idle',
		3,
		0,
		'release old-idle',
	],
	[
		'an outdated idle one that nobody needs goes at once, and is not replaced',
		'old-idle busy',
		1,
		0,
		'release old-idle',
	],
	['deleting: the autoscaler has no say', 'idle busy', 5, 0, 'release idle', { deleting: true }],
	[
		'without credentials nothing is created or released',
		'idle*2',
		0,
		2,
		'nothing',
		{ credentialsMissing: true },
	],
	[
		'a recreation delay holds no place of a job',
		'completed*2',
		2,
		0,
		'create 2, remove completed completed',
		{ recreationDelayMs: 10 * minute },
	],
];
for (const [promise, list, desired, mayGo, expected, more] of demandTable) {
	test(`of an autoscaler: ${promise}`, () => {
		const some = owners(list);
		assert.is(summary(some, demanding(desired, some, mayGo, more)), expected);
	});
}

test('of an autoscaler: several may go, and the first one is the first in its list', () => {
	const [old, young] = [owner('idle', { createdMs: 1 }), owner('idle', { createdMs: 2 })];
	const mayGo = [young.uid, old.uid];
	const gone = (desired: number) =>
		planned([old, young], state(0, { demanded: { desired, mayGo, replace: [] } })).release;
	assert.equal([gone(1), gone(0)], [[young], [young, old]]);
});

test('of an autoscaler: one that is to be replaced goes though it is not too many, if it is idle', () => {
	for (const [phase, goes] of [
		['idle', true],
		['starting', false],
		['busy', false],
	] as const) {
		const sick = owner(phase, { createdMs: 1 });
		const list = [sick, owner('idle', { createdMs: 2 })];
		const demanded = { desired: 2, mayGo: [], replace: [sick.uid] };
		const { release, create } = planned(list, state(0, { demanded }));
		assert.equal([release, create], [goes ? [sick] : [], 0], phase);
	}
});

test('of an autoscaler: it waits for jobs only where more work than are wanted, as when the maximum is lowered', () => {
	const wait = (list: string, desired: number) => planned(owners(list), demanding(desired, [])).wait;
	assert.equal(wait('busy*2 idle', 2), [], 'an idle one is kept for a while');
	assert.equal(wait('old-busy*2', 2), []);
	assert.equal(wait('busy*2', 1), ['busy']);
	assert.equal(wait('completed', 1), []);
});

test('of an autoscaler: one that is unfit or lost goes whether it may or not', () => {
	const unfit = owner('idle', { unfit: true });
	const lost = owner('starting', { sinceMs: now - 20 * minute });
	const { release } = planned([unfit, lost, owner('idle')], demanding(3, []));
	assert.equal(release, [unfit, lost]);
});

const driven = (more: Partial<SetState['accounting']> = {}): Partial<SetState> => ({
	recreationDelayMs: 10 * minute,
	accounting: {
		effectiveMs: now - 5 * minute,
		completionsMs: [],
		failedStarts: 0,
		briefEnds: 0,
		nextStartMs: 0,
		...more,
	},
});

test('a set that an autoscaler drives: a completion holds its place back (D1)', () => {
	const list = [...owners('busy*2'), owner('completed', { sinceMs: now - 40 })];
	const { create, hold, accounting, requeueAfterMs } = plan(list, state(3, driven()), now);
	assert.is(create, 0);
	assert.equal(accounting.completionsMs, [now - 40]);
	assert.equal(hold, { replicas: 1, untilMs: now - 40 + 10 * minute });
	assert.is(requeueAfterMs, 10 * minute - 40);
});

for (const recreationDelayMs of [1e8 * 24 * 60 * minute, Number.POSITIVE_INFINITY]) {
	test(`a recreation delay of ${recreationDelayMs} ms ends in 100 years: a date that can be written down`, () => {
		const list = [...owners('busy*2'), owner('completed', { sinceMs: now - 40 })];
		const { create, hold } = plan(list, state(3, { ...driven(), recreationDelayMs }), now);
		assert.is(create, 0);
		assert.is(new Date(hold?.untilMs ?? 0).toISOString().slice(0, 4), '2126');
	});
}

test('it is held by the accounting alone, whoever else is still there (D4)', () => {
	const set = state(3, driven({ completionsMs: [now - minute] }));
	assert.is(summary(owners('busy*2'), set), 'nothing');
	assert.is(summary(owners(''), set), 'create 2');
});

test('effectiveTime moves past the completion: its place is filled (D2)', () => {
	const set = state(3, driven({ completionsMs: [now - minute], effectiveMs: now - 1 }));
	assert.is(summary(owners('busy*2'), set), 'create 1');
});

test('completion and effectiveTime in the same second are distinguished by their milliseconds (D1)', () => {
	const list = (sinceMs: number) => [...owners('busy*2'), owner('completed', { sinceMs })];
	const set = state(3, driven({ effectiveMs: now - 500 }));
	assert.is(plan(list(now - 499), set, now).create, 0);
	assert.is(plan(list(now - 501), set, now).create, 1);
});

test('no answer for the whole delay: one correction, for the ones whose delay is over (D3)', () => {
	const over = now - 10 * minute;
	const set = state(3, driven({ completionsMs: [over, over + 1], effectiveMs: over - minute }));
	const { create, accounting } = plan(owners('busy'), set, now);
	assert.is(create, 1);
	assert.equal(accounting.completionsMs, [over + 1]);
});

test('a scale-up is not held back by more than what completed', () => {
	assert.is(summary(owners('busy'), state(5, driven({ completionsMs: [now - 1, now - 2] }))), 'create 2');
});

test('a failed start is no completion: it is replaced after a pause that grows (E5)', () => {
	let set = state(2);
	const pauses: number[] = [];
	for (let round = 0; round < 7; round++) {
		const failed = [
			owner('idle', { createdMs: 0 }),
			owner('failed', { createdMs: set.accounting.nextStartMs }),
		];
		const { create, remove, accounting, wait, requeueAfterMs } = plan(failed, set, now);
		assert.is(create, 0);
		assert.is(remove.length, 1);
		assert.ok(wait.includes('starts-failing'));
		pauses.push((requeueAfterMs ?? 0) / 1000);
		set = { ...set, accounting };
		assert.is(plan(owners('idle'), set, accounting.nextStartMs).create, 1);
	}
	assert.equal(pauses, [10, 20, 40, 80, 160, 300, 300]);
});

test('runners that were started together and fail one after the other count as one failure', () => {
	const first = plan(owners('failed'), state(3), now).accounting;
	const second = plan(owners('failed'), state(3, { accounting: first }), now + 1_000).accounting;
	assert.is(second.failedStarts, 1);
});

test('one that was started after the failures registers: starts fail no more', () => {
	const accounting = {
		effectiveMs: 0,
		completionsMs: [],
		failedStarts: 3,
		briefEnds: 0,
		nextStartMs: now - 5_000,
	};
	const registered = [owner('idle', { createdMs: now - 4_000 })];
	assert.is(plan(registered, state(1, { accounting }), now).accounting.failedStarts, 0);
	// Made in the moment the pause was over: its creationTimestamp is cut to the second.
	const cut = [owner('idle', { createdMs: now - 5_999 })];
	assert.is(plan(cut, state(1, { accounting }), now).accounting.failedStarts, 0);
	const again = [owner('failed', { createdMs: now - 5_999 })];
	assert.is(plan(again, state(1, { accounting }), now).accounting.failedStarts, 4);
	assert.is(
		plan([owner('idle', { createdMs: now - 6_000 })], state(1, { accounting }), now).accounting.failedStarts,
		3,
	);
});

test('made without the pod webhook: released first and replaced, but never from a job (E7)', () => {
	const unfit = (kind: string) => owner(kind, { unfit: true });
	assert.is(summary([owner('idle'), unfit('idle'), unfit('busy')], state(3)), 'release idle');
	const [idle, unfitIdle] = [owner('idle'), unfit('idle')];
	assert.equal(plan([idle, unfitIdle], state(1), now).release, [unfitIdle]);
	assert.is(summary([unfit('starting')], state(1)), 'nothing', 'it may register: until it is idle it stays');
	const vain = owner('starting', { unfit: true, vainFromMs: 0 });
	assert.is(summary([vain], state(1)), 'release starting');
	const later = plan([{ ...unfit('idle'), notBeforeMs: now + 5_000 }], state(1), now);
	assert.equal([later.release, later.create, later.requeueAfterMs], [[], 0, 5_000]);
	assert.is(summary([unfit('failed')], state(1)), 'remove failed', 'and the next comes after a pause');
	assert.is(plan([unfit('failed')], state(1), now).accounting.failedStarts, 1);
});

/** The plan after a runner that was made at this time has ended briefly beside these others. */
const afterBrief = (
	accounting: Partial<SetState['accounting']>,
	others: Owner[] = [],
	createdMs = now - 3_000,
) =>
	plan(
		[owner('completed', { brief: true, createdMs, sinceMs: now }), ...others],
		state(2, {
			accounting: {
				effectiveMs: 0,
				completionsMs: [],
				failedStarts: 0,
				briefEnds: 0,
				nextStartMs: 0,
				...accounting,
			},
		}),
		now,
	);

test('brief ends: two in a row cost nothing, from the third on the pause grows', () => {
	const first = afterBrief({}).accounting;
	assert.equal([first.briefEnds, first.failedStarts, first.nextStartMs], [1, 0, now]);
	assert.is(afterBrief({}).create, 2);
	assert.equal(afterBrief({}).wait, []);
	const second = afterBrief({ briefEnds: 1, nextStartMs: now - 3_500 }).accounting;
	assert.equal([second.briefEnds, second.failedStarts, second.nextStartMs], [2, 0, now]);
	const third = afterBrief({ briefEnds: 2, nextStartMs: now - 3_500 });
	assert.equal([third.create, third.wait, third.requeueAfterMs], [0, ['starts-failing'], 10_000]);
	const later = afterBrief({ briefEnds: 7, failedStarts: 5, nextStartMs: now - 3_500 });
	assert.equal([later.create, later.requeueAfterMs, later.accounting.briefEnds], [0, 300_000, 8]);
});

test('... those that were started together count once, and one that is being removed not again', () => {
	const counted = { briefEnds: 2, nextStartMs: now - 1_000 };
	assert.is(afterBrief(counted, [], now - 2_000).accounting.briefEnds, 2);
	assert.is(afterBrief(counted, [], now - 1_999).accounting.briefEnds, 3);
	const removing = owner('stopping', { brief: true, createdMs: now });
	assert.is(planned([removing], state(1)).accounting.briefEnds, 0);
});

test('... and a set whose runners get jobs, or last, is in order', () => {
	const soFar = { briefEnds: 5, failedStarts: 3, nextStartMs: now - 60_000 };
	const ended = (other: Owner) => {
		const { briefEnds, failedStarts, nextStartMs } = afterBrief(soFar, [other]).accounting;
		return [briefEnds, failedStarts, nextStartMs];
	};
	const inOrder = [0, 0, soFar.nextStartMs];
	const failed = [6, 4, now + 80_000];
	assert.equal(ended(owner('busy', { sinceMs: now - 3_000 })), inOrder, 'a job since it was made');
	assert.equal(ended(owner('busy', { sinceMs: now - 3_001 })), failed, 'an older job proves nothing of now');
	assert.equal(ended(owner('busy')), failed);
	assert.equal(ended(owner('busy', { createdMs: now - 3_999 })), inOrder, 'made with it, and busy');
	assert.equal(ended(owner('completed', { createdMs: now - 3_999 })), inOrder);
	assert.equal(ended(owner('completed', { createdMs: now - 4_000 })), failed);
	assert.equal(ended(owner('completed', { brief: true, createdMs: now - 3_000 })), failed);
	assert.equal(ended(owner('idle', { createdMs: now - 20_000, sinceMs: now - 15_000 })), failed);
});

test('after brief ends a runner that is idle ends the count when it has lasted 10 s, not when it has registered', () => {
	const soFar = {
		effectiveMs: 0,
		completionsMs: [],
		failedStarts: 3,
		briefEnds: 5,
		nextStartMs: now - 60_000,
	};
	const idling = (idle: Partial<Owner>) =>
		planned([owner('idle', { createdMs: now - 15_000, ...idle })], state(1, { accounting: soFar }));
	const young = idling({ sinceMs: now - 9_999 });
	assert.equal([young.accounting.briefEnds, young.accounting.failedStarts, young.requeueAfterMs], [5, 3, 1]);
	const lasted = idling({ sinceMs: now - 10_000 });
	assert.equal(
		[lasted.accounting.briefEnds, lasted.accounting.failedStarts, lasted.requeueAfterMs],
		[0, 0, undefined],
	);
	assert.is(idling({}).accounting.briefEnds, 5, 'since when is not known');
	const older = owner('busy', { createdMs: now - 60_000, sinceMs: now - 5_000 });
	const accounting = { ...soFar, nextStartMs: now - 1_000 };
	assert.is(planned([older], state(1, { accounting })).requeueAfterMs, undefined);
});

test('one that never registers is released once in 10 min, and counts until it is gone (E5)', () => {
	const lost = owner('starting', { sinceMs: now - 10 * minute });
	assert.is(summary([lost], state(1)), 'release starting');
	assert.is(summary([{ ...lost, sinceMs: now - 10 * minute + 1 }], state(1)), 'nothing');
	assert.is(summary([{ ...lost, notBeforeMs: now + 5_000 }], state(1)), 'nothing');
	const asked = plan([{ ...lost, notBeforeMs: now + 5_000 }], state(1), now);
	assert.equal([asked.requeueAfterMs, asked.wait], [5_000, []], 'until then it counts as starting');
});

test('one that could not be unregistered stays the chosen one and is asked about later', () => {
	const [first, second] = owners('idle*2') as [Owner, Owner];
	const set = state(1);
	assert.equal(plan([first, { ...second, notBeforeMs: now + 7_000 }], set, now).release, []);
	const later = plan([first, { ...second, notBeforeMs: now + 7_000 }], set, now);
	assert.is(later.requeueAfterMs, 7_000);
	assert.equal(later.wait, ['registering']);
});

test('busy ones above the wanted number are said to be waited for', () => {
	assert.equal(plan(owners('busy*2'), state(1), now).wait, ['busy']);
	assert.equal(plan(owners('busy*2'), state(2), now).wait, []);
});

const planned = (list: Owner[], set: SetState) => plan(list, set, now);

test('what the wait is for: jobs only where a busy one is above the wanted number or of an older template', () => {
	assert.equal(planned(owners('busy*2'), state(2)).wait, []);
	assert.equal(planned(owners('busy*2'), state(1)).wait, ['busy']);
	assert.equal(planned(owners('departing-busy*2'), state(1)).wait, [], 'they go by themselves');
	assert.equal(planned(owners('old-busy idle'), state(2)).wait, ['busy']);
	assert.equal(planned(owners('old-busy busy'), state(2)).wait, ['busy']);
	assert.equal(planned(owners('busy old-idle'), state(2)).wait, []);
	assert.equal(planned(owners('leaving departing-idle*2'), state(1)).wait, []);
});
test('the status says that places are held, and that credentials are missing', () => {
	const accounting = {
		effectiveMs: 0,
		completionsMs: [now - 1_000],
		failedStarts: 0,
		briefEnds: 0,
		nextStartMs: 0,
	};
	assert.equal(planned([], state(1, { accounting, recreationDelayMs: minute })).wait, ['hold']);
	assert.equal(planned([], state(1, { credentialsMissing: true })).wait, ['credentials-missing']);
	const tooMany = planned(owners('idle*3'), state(1, { credentialsMissing: true }));
	assert.equal(tooMany.wait, ['credentials-missing'], 'there is no job to wait for');
});
test('when to reconcile again: the end of a hold, of a pause, of a refusal, or of the time to register; the earliest', () => {
	const accounting = {
		effectiveMs: 0,
		completionsMs: [],
		failedStarts: 1,
		briefEnds: 0,
		nextStartMs: now + 20_000,
	};
	assert.is(planned([], state(1, { accounting })).requeueAfterMs, 20_000);
	assert.is(planned(owners('idle'), state(1, { accounting })).requeueAfterMs, undefined);
	assert.is(planned(owners('idle busy'), state(2)).requeueAfterMs, undefined);
	assert.is(planned([owner('starting', { sinceMs: now - minute })], state(1)).requeueAfterMs, 9 * minute);
	assert.is(planned([owner('starting', { sinceMs: undefined })], state(1)).requeueAfterMs, 10 * minute);
	assert.is(planned([owner('idle', { sinceMs: now - minute })], state(1)).requeueAfterMs, undefined);
	assert.is(
		planned([owner('starting', { sinceMs: now - 20 * minute, notBeforeMs: now + 7_000 })], state(1))
			.requeueAfterMs,
		7_000,
	);
	assert.is(planned([owner('starting', { sinceMs: now - 20 * minute })], state(0)).requeueAfterMs, undefined);
	assert.is(
		planned(
			[owner('idle', { notBeforeMs: now + 3_000 }), owner('idle', { notBeforeMs: now + 5_000 })],
			state(0),
		).requeueAfterMs,
		3_000,
	);
});
test('one that could not be released a moment ago is not asked about before its time, also when it is lost', () => {
	const lost = owner('starting', { sinceMs: now - 20 * minute, notBeforeMs: now + 1 });
	assert.equal(planned([lost], state(1)).release, []);
	assert.is(planned([{ ...lost, notBeforeMs: now }], state(1)).release.length, 1);
	assert.equal(planned([owner('idle', { sinceMs: now - 20 * minute })], state(1)).release, []);
	assert.equal(planned([owner('starting', { sinceMs: undefined })], state(1)).release, []);
});
test('of the same use the oldest goes; of the same age the first by name', () => {
	const [old, young] = [
		owner('idle', { name: 'z', createdMs: 1 }),
		owner('idle', { name: 'a', createdMs: 2 }),
	];
	assert.equal(planned([young, old], state(1)).release, [old]);
	const [a, b] = [owner('idle', { name: 'a', createdMs: 5 }), owner('idle', { name: 'b', createdMs: 5 })];
	assert.equal(planned([b, a], state(1)).release, [a]);
});
test('of an older template an idle one goes before an idle one of the newest, also while scaling down', () => {
	assert.is(summary(owners('idle*2 old-idle'), state(1)), 'release old-idle');
});
test('a starting one goes before idle ones from when on it counts as one that cannot start', () => {
	const vain = owner('starting', { vainFromMs: now, sinceMs: undefined });
	const soon = owner('starting', { vainFromMs: now + 90_000, sinceMs: undefined });
	const idle = owner('idle');
	assert.equal(planned([idle, soon, vain], state(2)).release, [vain]);
	assert.equal(planned([idle, soon, vain], state(0)).release, [vain, idle]);
	assert.is(planned([soon], state(0)).requeueAfterMs, 90_000);
	const outdated = owner('old-starting', { vainFromMs: 0, sinceMs: undefined });
	assert.equal(
		planned([outdated], state(1)).release,
		[outdated],
		'a template that is put right is rolled out',
	);
	const tried = owner('starting', { vainFromMs: 0, notBeforeMs: now + 2_000 });
	const { release, requeueAfterMs } = planned([tried], state(0));
	assert.equal([release, requeueAfterMs], [[], 2_000], 'refused a moment ago, and tried again then');
});
test('a cordoned node matters for idle ones only', () => {
	const unbound = owner('unbound', { name: 'b', createdMs: 2 });
	const cordoned = owner('cordoned-unbound', { name: 'a', createdMs: 3 });
	assert.equal(planned([unbound, cordoned], state(1)).release, [unbound]);
});
test('no more completions are remembered than places that can be held, the newest', () => {
	const completed = [3, 2, 1].map((seconds) => owner('completed', { sinceMs: now - seconds * 1_000 }));
	const { accounting } = planned(completed, state(2, { recreationDelayMs: minute }));
	assert.equal(accounting.completionsMs, [now - 2_000, now - 1_000]);
});
test('a set that is being deleted holds no place', () => {
	const set = state(2, { deleting: true, recreationDelayMs: minute });
	assert.is(planned(owners('completed idle'), set).hold, undefined);
});
test('failed starts are over when one that was started after them is busy or has completed', () => {
	const accounting = {
		effectiveMs: 0,
		completionsMs: [],
		failedStarts: 2,
		briefEnds: 0,
		nextStartMs: now - minute,
	};
	for (const phase of ['idle', 'busy', 'completed'])
		assert.is(
			planned([owner(phase, { createdMs: now - 1_000 })], state(1, { accounting })).accounting.failedStarts,
			0,
		);
	for (const phase of ['unbound', 'starting'])
		assert.is(
			planned([owner(phase, { createdMs: now - 1_000 })], state(1, { accounting })).accounting.failedStarts,
			2,
		);
});
test('one that is still registering is tried again after 2 s, all others after 10 s', () => {
	assert.equal([refusedForMs('registering'), refusedForMs('github-unavailable')], [2_000, 10_000]);
});

test.run();
