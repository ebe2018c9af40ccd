/**
 * Thousands of reviews that nobody thought of, made by chance from a seed, at the port of a replica: by callers that know
 * nothing, and by ones that know its path. FUZZ=100000 sends so many, SEED=... the same ones again.
 */
import * as assert from 'uvu/assert';
import { progress, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { startHistory } from '../../rig/history.ts';
import { random } from '../../rig/random.ts';
import type { Rig } from '../../rig/rig.ts';
import type { ServerProcess } from '../../rig/server-process.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { deletesBeside } from '../support/fuzz/beside.ts';
import { type Crowd, makeCrowd } from '../support/fuzz/crowd.ts';
import { Flood } from '../support/fuzz/flood.ts';
import { type FuzzedReview, type Knowledge, reviewNumber } from '../support/fuzz/reviews.ts';
import { shortest } from '../support/fuzz/shortest.ts';
import { end, Space } from '../support/space.ts';
import { type Answer, knownPath } from '../support/webhook-post.ts';

const { seed } = random();
const reviews = Number(process.env.FUZZ ?? 1_600);
/** Reviews that are sent before the pods are checked. */
const batch = 800;
/** At a time. The API server uses one connection for each review under way. */
const connections = 8;
const size = { busy: 20, idle: 4, bystanders: 4, plain: 4 };

interface Context {
	rig: Rig;
	server: ServerProcess;
}
const test = suite<Context>(`reviews made by chance, SEED=${seed}`);
test.before(async (context) => {
	context.rig = await stage('guard');
	context.server = await context.rig.startStandby();
});
test.after(async ({ rig, server }) => {
	await server?.stop();
	await end(rig);
});

/** Where reviews are sent, and about whom. */
class Target {
	readonly rig: Rig;
	readonly server: ServerProcess;
	readonly space: Space;
	readonly crowd: Crowd;
	readonly knows: Knowledge;
	/** Answers that must not be given. */
	readonly wrong: string[] = [];
	readonly statuses = new Map<number, number>();

	private constructor({ rig, server }: Context, space: Space, crowd: Crowd, knows: Knowledge) {
		this.rig = rig;
		this.server = server;
		this.space = space;
		this.crowd = crowd;
		this.knows = knows;
	}

	static async make(context: Context, knows: Knowledge): Promise<Target> {
		const space = await Space.make(context.rig, { ownCredentials: true });
		return new Target(context, space, await makeCrowd(space, size), knows);
	}

	/** The reviews of these numbers, so many at a time. */
	async send(numbers: readonly number[], flood: Flood): Promise<void> {
		const path = await knownPath(this.rig, '/pods/delete');
		const segment = path.slice(0, path.indexOf('/', 1));
		const { crowd, knows } = this;
		function* made() {
			for (const index of numbers) yield reviewNumber({ seed, index, knows }, crowd, segment);
		}
		await flood.send(made(), (review, answer) => {
			this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
			const failure = failureOf(review, answer, knows);
			if (failure) this.wrong.push(`${failure}: ${textOf(review)}`);
		});
	}

	/** What must not have become of the pods. */
	async harm(): Promise<string[]> {
		const { space, crowd, rig } = this;
		const now = new Map((await rig.pods(space.name)).map((pod) => [pod.metadata.name, pod]));
		const killed = space.killedJobs().map(({ pod, detail }) => `job of ${pod} was killed: ${detail}`);
		const all = [...crowd.busy, ...crowd.idle, ...crowd.bystanders, ...crowd.plain];
		const harmed = all.flatMap((before) => {
			const why = this.#harmTo(before, now.get(before.metadata.name));
			return why ? `${before.metadata.name} ${why}` : [];
		});
		return [...killed, ...harmed];
	}

	#harmTo(before: Pod, pod: Pod | undefined): string | undefined {
		const { crowd, knows, rig, space } = this;
		const isRegistered = rig.github.find(space.scope, before.metadata.name) !== undefined;
		const isWritten = (keys: string[]) =>
			keys.some((key) => pod?.metadata.annotations?.[key] !== before.metadata.annotations?.[key]);
		if (knows === 'path' && crowd.idle.includes(before)) {
			const isReleased = !pod || isWritten(proofs);
			return isReleased && isRegistered ? 'is released, and GitHub has it' : undefined;
		}
		if (!pod || pod.metadata.deletionTimestamp) return 'has gone';
		if (crowd.plain.includes(before))
			return pod.metadata.resourceVersion === before.metadata.resourceVersion ? undefined : 'was written';
		if (!isRegistered) return 'is registered no more';
		// Who knows the path may have the deletion of a runner recorded.
		const mayBeRecorded = knows === 'path' && crowd.busy.includes(before);
		return isWritten(mayBeRecorded ? proofs : marks) ? 'was signed or recorded' : undefined;
	}

	/** Resolves when the deletion loop has judged whatever was recorded. */
	async settled(): Promise<void> {
		const pods = await this.rig.pods(this.space.name);
		const busy = new Set(this.crowd.busy.map(({ metadata }) => metadata.name));
		const waits = pods.filter(
			(pod) => pod.metadata.annotations?.[record.proof] && busy.has(pod.metadata.name),
		);
		await this.space.waits(...waits.map(({ metadata }) => metadata.name));
	}
}

const proofs = [progress.completedAt, progress.proof];
const marks = [...proofs, progress.attempt, progress.refusal, progress.absentSince, ...Object.values(record)];

const textOf = ({ number, path, body }: FuzzedReview) =>
	`review ${number}: ${path.slice(-40)} ${body.slice(0, 2_000)}`;

/** undefined: the answer is as it may be. */
function failureOf(
	{ eviction, truthful }: FuzzedReview,
	{ status, text }: Answer,
	knows: Knowledge,
): string | undefined {
	// Of unauthenticated callers there are too many at a time: the API server would ask again.
	if (status === 503 && knows === 'nothing') return undefined;
	if (eviction && status !== 200) return `an eviction is answered with ${status} ${text.slice(0, 200)}`;
	if (![200, 400, 413, 415].includes(status)) return `answered with ${status} ${text.slice(0, 200)}`;
	if (truthful && status === 200 && (JSON.parse(text) as { response: { allowed: boolean } }).response.allowed)
		return 'the deletion of a busy runner is allowed';
	return undefined;
}

/** Calls to GitHub that this replica has made, and the event loop's delay since the last look. */
async function figures(server: ServerProcess): Promise<{ calls: number; delayMs: number }> {
	const text = await server.metrics();
	const values = (name: string) =>
		[...text.matchAll(new RegExp(`^${name}(?:{.*})? (\\S+)$`, 'gm'))].map(([, value]) => Number(value));
	const sum = (name: string) => values(name).reduce((all, value) => all + value, 0);
	return {
		calls: sum('runners_github_calls_total'),
		delayMs: sum('nodejs_eventloop_lag_p99_seconds') * 1_000,
	};
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const p99 = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0;

/** Sends reviews until they do harm, or all are sent, while somebody else deletes a busy runner again and again. */
async function sendAll(
	target: Target,
	count: number,
): Promise<{ sent: number; perSecond: number; tookMs: number[] }> {
	const { rig, server, space, crowd } = target;
	const flood = new Flood(server.port, connections);
	// A scale set's: its job is known without a call to GitHub, which would be blamed on the unauthenticated caller.
	const pod = crowd.busy[3]?.metadata.name ?? '';
	const beside = await deletesBeside(rig, { namespace: space.name, pod, port: server.port });
	let sent = 0;
	let sendingMs = 0;
	let tookMs: number[] = [];
	try {
		for (let harm: string[] = []; sent < count && harm.length === 0; harm = await target.harm()) {
			const startedMs = performance.now();
			const next = Math.min(count, sent + batch);
			await target.send(range(sent, next), flood);
			sent = next;
			sendingMs += performance.now() - startedMs;
		}
	} finally {
		tookMs = await beside.stop();
		flood.stop();
	}
	return { sent, perSecond: (sent / sendingMs) * 1_000, tookMs };
}

async function attack(context: Context, knows: Knowledge, count: number): Promise<void> {
	const { rig, server } = context;
	const target = await Target.make(context, knows);
	const history = await startHistory(rig);
	try {
		const before = await figures(server);
		const { sent, perSecond, tookMs } = await sendAll(target, count);
		const after = await figures(server);
		const statuses = [...target.statuses].map(([status, times]) => `${times} x ${status}`).join(', ');
		console.log(
			`SEED=${seed}: ${sent} reviews by who knows ${knows === 'path' ? 'the path' : 'nothing'}, ` +
				`${perSecond.toFixed(0)} a second (${statuses}); event loop p99 ${after.delayMs.toFixed(0)} ms; ` +
				`${tookMs.length} deletions by others beside, p99 ${p99(tookMs).toFixed(0)} ms`,
		);
		if ((await target.harm()).length === 0) await target.settled();
		const harm = await target.harm();
		if (harm.length > 0) {
			console.log(['harm:', ...harm].join('\n  ')); // the search for the shortest sequence may take too long
			console.log(await explained(context, knows, sent));
		}
		assert.equal(harm, []);
		assert.equal(target.wrong.slice(0, 5), [], `${target.wrong.length} wrong answers`);
		assert.equal(history.violations({ settled: false }), []);
		if (knows === 'path') return;
		assert.equal(target.space.removals(), []);
		assert.is(after.calls, before.calls, 'calls to GitHub by this replica');
	} finally {
		history.stop();
		await target.space.clear();
	}
}

/** The shortest sequence that does harm, each time to a crowd of its own. */
async function explained(context: Context, knows: Knowledge, sent: number): Promise<string> {
	let target: Target | undefined;
	const fails = async (numbers: readonly number[]) => {
		target = await Target.make(context, knows);
		const one = new Flood(context.server.port, 1);
		await target.send(numbers, one);
		one.stop();
		if ((await target.harm()).length === 0) await target.settled();
		const harm = await target.harm();
		await target.space.clear();
		return harm.length > 0;
	};
	const last = range(Math.max(0, sent - batch), sent);
	const all = (await fails(last)) ? last : range(0, sent);
	const numbers = await shortest(all, fails);
	const bodies = numbers.map((index) => {
		return textOf(reviewNumber({ seed, index, knows }, (target as Target).crowd, '/SEGMENT'));
	});
	return [`SEED=${seed}: these ${numbers.length} reviews do harm:`, ...bodies.slice(0, 20)].join('\n');
}

test('whatever a review says, from a caller without the path: nothing is recorded, signed, asked, and nobody goes', (context) =>
	attack(context, 'nothing', Math.floor(reviews / 2)));

test('... and with the path no busy runner goes, nothing is signed, no other pod is written (invariants 1, 2)', (context) =>
	attack(context, 'path', Math.ceil(reviews / 2)));

test.run();
