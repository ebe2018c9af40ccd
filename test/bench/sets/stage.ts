import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, type RigOptions, startRig } from '../../rig/rig.ts';
import { type Kind, type SetOptions, SetUnderTest } from '../../rig/runner-sets.ts';
import { controllerRestsMs } from './floor.ts';

/** Ticks of /proc/PID/stat a second, on every Linux that Node runs on. */
const ticksPerSecond = 100;

const organization = 'octo-growth';

/**
 * A runner needs longer than this from its container's start to its registration. At once, the simulated runners would take
 * the cores from the API server while pods are being created.
 */
const registrationDelayMs = 5_000;

/** What a part of a run cost. */
export interface Cost {
	cpuSeconds: number;
	githubCalls: number;
	/** DELETE calls by status, as `50 x 204`. */
	removals: string;
	logLines: number;
	/** Info and above: what a server that is not being debugged writes. */
	infoLines: number;
	errorLines: number;
}

/** The control plane, and a fresh server process for each run, as in the recorded runs of ARC. */
export class Stage {
	readonly rig: Rig;
	#set: SetUnderTest | undefined;

	private constructor(rig: Rig) {
		this.rig = rig;
	}

	/** `profiles`: a folder for a CPU profile of each server, which costs some CPU itself. */
	static async open(
		profiles: string | undefined,
		options: Pick<RigOptions, 'cluster' | 'nodes'> = {},
	): Promise<Stage> {
		const env: Record<string, string> = { GITHUB_TOKEN: 'test-token' };
		if (profiles) env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${profiles}`;
		const log = (line: string) => console.error(line);
		const agents = { registrationDelayMs };
		return new Stage(await startRig({ ...options, sets: true, agents, server: { env }, log }));
	}

	/**
	 * This number of sets without runners, all in one organization, and a server that has not just issued certificates.
	 */
	async sets(kind: Kind, count: number): Promise<SetUnderTest[]> {
		await this.quiet();
		await this.rig.addServer();
		await this.rig.guarded();
		this.rig.github.addScope(`orgs/${organization}`);
		const options: SetOptions = { config: { organization } };
		const sets = await Promise.all(
			Array.from({ length: count }, () => SetUnderTest.make(this.rig, kind, options)),
		);
		await Promise.all(sets.map((set) => set.conditionIs('Settled', 'True')));
		return sets;
	}

	/** A new server, GitHub's limits full, one set without runners. */
	async fresh(kind: Kind, options: SetOptions = {}): Promise<SetUnderTest> {
		await this.quiet();
		this.rig.github.resetLimits();
		await this.rig.addServer();
		await this.rig.guarded();
		this.#set = await SetUnderTest.make(this.rig, kind, options);
		await this.#set.conditionIs('Settled', 'True');
		await sleep(controllerRestsMs);
		return this.#set;
	}

	/** No set, and no server. */
	async quiet(): Promise<void> {
		await this.#clear();
		await Promise.all(this.rig.servers.slice().map((server) => server.stop()));
	}

	async #clear(): Promise<void> {
		const set = this.#set;
		this.#set = undefined;
		if (!set) return;
		await set.patch({ spec: { replicas: 0 } });
		await this.rig.agents.endAllJobs();
		// The namespace is deleted later: its ConfigMap, without which no simulated runner starts, would be deleted
		// first.
		await eventually(`${set.namespace} is empty`, () => set.all().length === 0, { withinMs: 400_000 });
		await this.rig.ok(['delete', 'namespace', set.namespace, '--wait=false']);
		set.stop();
	}

	/** Resident memory at its highest since the server started, MiB. */
	async peakRssMiB(): Promise<number> {
		const status = await readFile(`/proc/${this.#pid()}/status`, 'utf8');
		return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
	}

	/** Runs `work` and returns what it cost the server. */
	async cost<T>(work: () => Promise<T>): Promise<{ value: T; cost: Cost }> {
		const [server] = this.rig.servers;
		if (!server) throw new Error('no server runs');
		const { github } = this.rig;
		const [calls, lines, cpu] = [github.calls.length, server.log.length, await this.#cpuSeconds()];
		const value = await work();
		const made = github.calls.slice(calls);
		const written = server.log.slice(lines);
		const statuses = made.filter(({ endpoint }) => endpoint === 'delete').map(({ status }) => status);
		return {
			value,
			cost: {
				cpuSeconds: (await this.#cpuSeconds()) - cpu,
				githubCalls: made.length,
				removals: [...new Set(statuses)]
					.map((status) => `${statuses.filter((one) => one === status).length} x ${status}`)
					.join(', '),
				logLines: written.length,
				infoLines: written.filter(({ level }) => level !== 'debug').length,
				errorLines: written.filter(({ level }) => level === 'error' || level === 'fatal').length,
			},
		};
	}

	async close(): Promise<void> {
		this.#set?.stop();
		await this.rig.stop();
	}

	async #cpuSeconds(): Promise<number> {
		const stat = await readFile(`/proc/${this.#pid()}/stat`, 'utf8');
		// After the command's name, which may contain anything: state is field 3, utime and stime are 14 and 15.
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
	}

	#pid(): number {
		return this.rig.servers[0]?.pid ?? 0;
	}
}

/** Of the last minute: other work on the machine makes every figure worse. */
export const load = (): string => (loadavg()[0] ?? 0).toFixed(1);
