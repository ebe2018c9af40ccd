/**
 * The simulator's own HTTP interface, for `make demo-up` and for people: what is registered, which runners work, what
 * was called, and which faults to inject. It is not part of GitHub's API, and only served if enabled.
 *
 *   GET    /_sim/runners                 registered runners
 *   GET    /_sim/calls                   table of calls (text)
 *   DELETE /_sim/calls                   forget them
 *   GET    /_sim/journal                 what happened to runners, and to their pods where agents run
 *   POST   /_sim/jobs/NAMESPACE/POD      give that pod's runner a job; ?durationMs=60000, else until ended
 *   DELETE /_sim/jobs/NAMESPACE/POD      end it
 *   POST   /_sim/queue                   queue a job for the next runner that fits; body: a QueuedJob (see job-queue.ts),
 *                                        as {"repository":"o/r","labels":["gpu"],"durationMs":60000}
 *   GET    /_sim/queue                   all jobs of GitHub's; ?status=queued
 *   PUT    /_sim/queue/ID                a job that is waiting or pending is queued now
 *   DELETE /_sim/queue/ID                cancel a job that no runner has
 *   PUT    /_sim/runners/ID/busy         the same by runner id, without agents
 *   DELETE /_sim/runners/ID/busy
 *   POST   /_sim/faults                  body: a FaultRule (see faults.ts)
 *   POST   /_sim/lies                    body: a LieRule (see lies.ts): GitHub is wrong about a runner
 *   DELETE /_sim/faults                  all is well again, of lies too
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FaultRule } from './faults.ts';
import type { GitHub } from './github.ts';
import type { QueuedJob } from './job-queue.ts';
import type { LieRule } from './lies.ts';

/** The simulated runners (runner-agents.ts), if they run in the same process. */
interface JobPlayer {
	runJob(namespace: string, pod: string, options: { durationMs?: number }): Promise<{ id: string }>;
	endJob(namespace: string, pod: string): Promise<void>;
	readonly journal: readonly unknown[];
}

const players = new WeakMap<GitHub, JobPlayer>();

/** Lets `/_sim/jobs` reach the agents. */
export function connectJobPlayer(github: GitHub, player: JobPlayer): void {
	players.set(github, player);
}

export async function serveAdmin(
	github: GitHub,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	try {
		const result = await act(github, request);
		const text = typeof result === 'string' ? `${result}\n` : `${JSON.stringify(result, null, 2)}\n`;
		const type = typeof result === 'string' ? 'text/plain' : 'application/json';
		response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(text);
	} catch (error) {
		const message = error instanceof Error ? error.message : String(error);
		response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
	}
}

async function act(github: GitHub, request: IncomingMessage): Promise<unknown> {
	const url = new URL(request.url ?? '/', 'http://simulator');
	const [what = '', first = '', second = ''] = url.pathname.slice('/_sim/'.length).split('/');
	const player = players.get(github);
	switch (`${request.method} ${what}`) {
		case 'GET runners':
			return github.runners();
		case 'GET calls':
			return github.callsTable();
		case 'DELETE calls':
			github.resetCalls();
			return 'forgotten';
		case 'GET journal':
			return { github: github.journal, agents: player?.journal ?? [] };
		case 'POST jobs': {
			const duration = url.searchParams.get('durationMs');
			return must(player).runJob(first, second, duration === null ? {} : { durationMs: Number(duration) });
		}
		case 'DELETE jobs':
			await must(player).endJob(first, second);
			return 'ended';
		case 'POST queue':
			return github.jobs.queue(JSON.parse(await bodyOf(request)) as QueuedJob);
		case 'GET queue': {
			const status = url.searchParams.get('status');
			return github.jobs.list().filter((job) => status === null || job.status === status);
		}
		case 'PUT queue':
			github.jobs.release(Number(first));
			return 'queued';
		case 'DELETE queue':
			github.jobs.cancel(Number(first));
			return 'cancelled';
		case 'PUT runners':
		case 'DELETE runners':
			github.setBusy(Number(first), request.method === 'PUT');
			return 'done';
		case 'POST faults':
			github.fault(JSON.parse(await bodyOf(request)) as FaultRule);
			return 'armed';
		case 'POST lies':
			github.lie(JSON.parse(await bodyOf(request)) as LieRule);
			return 'done';
		case 'DELETE faults':
			github.clearFaults();
			return 'cleared';
		default:
			throw new Error(`no ${request.method} ${url.pathname} here`);
	}
}

function must(player: JobPlayer | undefined): JobPlayer {
	if (player === undefined) throw new Error('no simulated runners here: start with --kubeconfig');
	return player;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of request) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString();
}
