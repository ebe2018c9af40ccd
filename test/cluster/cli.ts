import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cli, command } from 'cleye';
import { ensureBuilt } from './build.ts';
import { startCluster } from './cluster.ts';
import type { Component } from './components.ts';
import { withFileLock } from './file-lock.ts';
import { recordedProcesses, removeCluster } from './processes.ts';

const project = join(import.meta.dirname, '..', '..');
const all: Component[] = [
	'etcd',
	'kube-apiserver',
	'kube-controller-manager',
	'kube-scheduler',
	'kwok',
	'pod-reaper',
];

const inFolder = {
	type: String,
	default: join(project, '.cluster'),
	description: 'Where to keep it',
} as const;

const argv = cli({
	name: 'cluster',
	help: {
		description: 'A real Kubernetes control plane on this machine, with simulated nodes, for development.',
	},
	commands: [
		command({
			name: 'up',
			help: { description: 'Start it in .cluster/, unless it runs already.' },
			flags: {
				nodes: { type: Number, default: 3, description: 'Simulated nodes to start with' },
				folder: inFolder,
			},
		}),
		command({
			name: 'down',
			help: { description: 'End it and remove its folder.' },
			flags: { folder: inFolder },
		}),
		command({ name: 'build', help: { description: 'Only build what it needs, once per user.' } }),
	],
});

const log = (line: string) => console.error(line);

try {
	if (argv.command === 'up') {
		const { folder, nodes } = argv.flags;
		await oneAtATime(folder, () => up(resolve(folder), nodes));
	} else if (argv.command === 'down') {
		const { folder } = argv.flags;
		await oneAtATime(folder, () => down(resolve(folder)));
	} else if (argv.command === 'build') {
		await ensureBuilt(log);
	} else {
		argv.showHelp();
		process.exitCode = argv._.length === 0 ? 0 : 1;
	}
} catch (error) {
	console.error(`cluster: ${error instanceof Error ? error.message : error}`);
	process.exitCode = 1;
}

function oneAtATime(folder: string, work: () => Promise<void>): Promise<void> {
	return withFileLock(`${resolve(folder)}.lock`, work, {
		onWait: (pid) => log(`cluster: waiting for process ${pid ?? '?'}, which is starting or ending it`),
	});
}

async function up(folder: string, nodes: number): Promise<void> {
	const alive = new Set(recordedProcesses(folder).map(({ name }) => name));
	if (all.every((name) => alive.has(name))) {
		console.log('The cluster runs already.');
	} else {
		if (existsSync(folder)) {
			log('cluster: what is left of an earlier one is removed (not all of its processes run)');
			await removeCluster(folder);
		}
		const cluster = await startCluster({ log, detachedIn: folder });
		for (let i = 1; i <= nodes; i++) await cluster.addNode(`node-${i}`);
		console.log(`A cluster with ${nodes} simulated nodes runs.`);
	}
	console.log(`
To use it in this shell:
  export KUBECONFIG="${join(folder, 'kubeconfig')}"
  export PATH="${join(folder, 'bin')}:$PATH"
  kubectl get nodes

To end it: make cluster-down`);
}

async function down(folder: string): Promise<void> {
	if (!existsSync(folder)) {
		console.log('No cluster runs.');
		return;
	}
	const count = recordedProcesses(folder).length;
	await removeCluster(folder);
	console.log(`Cluster ended (${count} processes), ${folder} removed.`);
}
