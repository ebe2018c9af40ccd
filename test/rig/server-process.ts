import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../cluster/free-port.ts';

export interface ServerProcess {
	port: number;
	healthPort: number;
	/** Of GitHub's events, open where `eventsSecret` is given; of job hooks. */
	eventsPort: number;
	jobsPort: number;
	pid: number;
	/** Every log line so far, parsed. */
	log: LogLine[];
	/** stderr that was no log line. */
	noise: string[];
	signal(name: NodeJS.Signals): void;
	exited: Promise<number | null>;
	/** /metrics, as text. */
	metrics(): Promise<string>;
	/** Resident memory now, MiB. */
	rssMiB(): Promise<number>;
	/** The most that was resident since it was started, MiB. */
	peakMiB(): Promise<number>;
	/** Files and sockets that it has open now. */
	openFiles(): Promise<number>;
	/** SIGTERM, then waits. */
	stop(): Promise<void>;
}

export interface LogLine {
	level: string;
	time: string;
	msg: string;
	[field: string]: unknown;
}

export interface ServerOptions {
	kubeconfig: string;
	githubUrl: string;
	/** Default GITHUB_TOKEN=test-token. With PORT it serves there, else on a free port. */
	env?: Record<string, string>;
	args?: string[];
	/** Of GitHub's webhooks; without one its events are not received. */
	eventsSecret?: string;
	/** Where the job hooks in the pods reach the server. */
	jobsUrl?: string;
	/** Another build than dist/runners-admission. */
	bin?: string;
	/** --controllers; default `deletion`: the guard alone. */
	controllers?: string;
}

/** Whether it is the leader, according to its log. */
export const leads = ({ log }: ServerProcess): boolean =>
	log.findLast(({ msg }) => /^(no longer )?leading/.test(msg))?.msg === 'leading';

const readyWithinMs = 30_000;

/** Starts dist/runners-admission as a user would, on free ports, and waits until it is ready. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
	const given = options.env?.PORT;
	const [port, healthPort, eventsPort, jobsPort] = await Promise.all([
		given ? Number(given) : freePort(),
		freePort(),
		freePort(),
		freePort(),
	]);
	const args = [
		...['--kubeconfig', options.kubeconfig, '--health-port', `${healthPort}`],
		...(given ? [] : ['--port', `${port}`]),
		...[
			'--github-api-url',
			options.githubUrl,
			// The pods look like runners of github.com.
			'--github-url',
			'https://github.com/',
			'--shutdown-delay-seconds',
			'0',
			'--controllers',
			options.controllers ?? 'deletion',
		],
		...['--log-level', 'debug', ...(options.args ?? [])],
	];
	const bin = options.bin ?? new URL('../../dist/runners-admission', import.meta.url).pathname;
	const env = {
		PATH: process.env.PATH ?? '',
		HOME: process.env.HOME ?? '',
		EVENTS_PORT: String(eventsPort),
		JOBS_PORT: String(jobsPort),
		...(options.eventsSecret === undefined ? {} : { GITHUB_WEBHOOK_SECRET_TOKEN: options.eventsSecret }),
		...(options.jobsUrl === undefined ? {} : { JOBS_URL: options.jobsUrl }),
		...(options.env ?? { GITHUB_TOKEN: 'test-token' }),
	};
	const child = spawn(bin, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
	const server = watch(child, { port, healthPort, eventsPort, jobsPort });
	const deadline = Date.now() + readyWithinMs;
	while (!(await answers(healthPort))) {
		if (child.exitCode !== null || Date.now() > deadline) {
			child.kill('SIGKILL');
			const last = [...server.log.slice(-5).map((line) => JSON.stringify(line)), ...server.noise.slice(-20)];
			throw new Error(`runners-admission is not ready:\n${last.join('\n')}`);
		}
		await sleep(50);
	}
	return server;
}

type Ports = Pick<ServerProcess, 'port' | 'healthPort' | 'eventsPort' | 'jobsPort'>;

function watch(child: ChildProcess, ports: Ports): ServerProcess {
	const log: LogLine[] = [];
	const noise: string[] = [];
	let rest = '';
	child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
		const lines = (rest + chunk).split('\n');
		rest = lines.pop() ?? '';
		for (const line of lines) {
			try {
				log.push(JSON.parse(line) as LogLine);
			} catch {
				noise.push(line);
			}
		}
	});
	const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
	const endWithUs = () => child.kill('SIGKILL');
	process.once('exit', endWithUs);
	void exited.then(() => process.off('exit', endWithUs));
	return {
		...ports,
		pid: child.pid ?? 0,
		log,
		noise,
		exited,
		signal: (name) => void child.kill(name),
		metrics: async () => (await fetch(`http://127.0.0.1:${ports.healthPort}/metrics`)).text(),
		rssMiB: () => memoryOf(child, /VmRSS:\s+(\d+) kB/),
		peakMiB: () => memoryOf(child, /VmHWM:\s+(\d+) kB/),
		openFiles: async () => (await readdir(`/proc/${child.pid}/fd`)).length,
		async stop() {
			if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
			const killed = setTimeout(() => child.kill('SIGKILL'), 45_000);
			await exited;
			clearTimeout(killed);
		},
	};
}

async function memoryOf({ pid }: ChildProcess, figure: RegExp): Promise<number> {
	const status = await readFile(`/proc/${pid}/status`, 'utf8');
	return Number(figure.exec(status)?.[1] ?? 0) / 1024;
}

async function answers(healthPort: number): Promise<boolean> {
	try {
		return (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok;
	} catch {
		return false; // not listening yet
	}
}
