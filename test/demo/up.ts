/** `make demo-up`: starts the demo's stage in the background, and prints what to type. */
import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectJobPlayer } from '../sim/admin.ts';
import { setStage } from './stage.ts';

const folder = fileURLToPath(new URL('../../.demo', import.meta.url));
const withinMs = 120_000;

interface Running {
	pid: number;
	text: string;
}

if (process.argv[2] === 'stay') await stay();
else await start();

async function start(): Promise<void> {
	const running = await read();
	if (running) {
		console.log(`It runs already.\n${running.text}`);
		return;
	}
	await rm(folder, { recursive: true, force: true });
	await mkdir(folder);
	const log = openSync(join(folder, 'log'), 'a');
	const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'stay'], {
		detached: true,
		stdio: ['ignore', log, log],
	});
	const startedMs = Date.now();
	const what = 'starting cluster, GitHub simulator, guard, three runners';
	if (!process.stderr.isTTY) console.error(`${what} ...`);
	while (!(await read())) {
		if (child.exitCode !== null || Date.now() - startedMs > withinMs) {
			child.kill();
			console.error(`error: it did not start:\n${readFileSync(join(folder, 'log'), 'utf8')}`);
			process.exit(1);
		}
		if (process.stderr.isTTY) {
			process.stderr.write(`\r${what} ... ${Math.round((Date.now() - startedMs) / 1000)}s`);
		}
		await sleep(500);
	}
	if (process.stderr.isTTY) process.stderr.write('\n');
	console.log((await read())?.text);
	child.unref();
}

async function stay(): Promise<void> {
	const { rig, path } = await setStage(undefined, true, (line) => console.log(line));
	connectJobPlayer(rig.github, rig.agents);
	const stop = async () => {
		await rig.stop();
		await rm(folder, { recursive: true, force: true });
		process.exit(0);
	};
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
	const jobs = `${rig.github.url}/_sim`;
	const text = `
Type this first:
  export KUBECONFIG=${rig.cluster.kubeconfig}
  export PATH=${path}:$PATH

Three runners of octo-org/app run in namespace demo. Play GitHub:
  curl -X POST   ${jobs}/jobs/demo/linux-2     # linux-2 gets a job
  curl -X DELETE ${jobs}/jobs/demo/linux-2     # it ends
  curl ${jobs}/calls                           # what the guard has asked GitHub

Then try to break a job:
  kubectl runners list -n demo
  kubectl delete pod linux-2 -n demo
  kubectl runners why linux-2 -n demo
  kubectl runners delete linux-2 -n demo      # waits
  kubectl runners drain node-1

Log of the stage: ${join(folder, 'log')}
Take it down: make demo-down`;
	await writeFile(join(folder, 'running.json'), JSON.stringify({ pid: process.pid, text } satisfies Running));
	setInterval(() => {}, 60_000); // until a signal
}

/** undefined: not up, or its process is gone. */
async function read(): Promise<Running | undefined> {
	const file = join(folder, 'running.json');
	if (!existsSync(file)) return undefined;
	const running = JSON.parse(await readFile(file, 'utf8')) as Running;
	return alive(running.pid) ? running : undefined;
}

function alive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false; // no such process
	}
}
