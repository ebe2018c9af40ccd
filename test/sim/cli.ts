/**
 * The simulator as a process: `node test/sim/cli.ts --port 0 --admin --kubeconfig .cluster/kubeconfig`.
 * Prints its address as the first line, then runs until SIGINT or SIGTERM.
 */
import { cli } from 'cleye';
import { connectJobPlayer } from './admin.ts';
import { startRunnerAgents } from './runner-agents.ts';
import { type Scope, startGitHub } from './simulator.ts';

const { flags } = cli({
	name: 'github-simulator',
	flags: {
		port: { type: Number, default: 0, description: 'Loopback port; 0 takes a free one' },
		admin: { type: Boolean, default: false, description: 'Serve /_sim/... (see test/sim/admin.ts)' },
		basePath: { type: String, default: '', description: "'/api/v3' to be a GitHub Enterprise Server" },
		token: { type: [String], description: 'Valid personal token (default test-token)' },
		scope: { type: [String], description: 'repos/OWNER/NAME, orgs/NAME or enterprises/NAME that exists' },
		kubeconfig: { type: String, description: 'Play the runners of this cluster' },
	},
});

const github = await startGitHub({
	port: flags.port,
	admin: flags.admin,
	basePath: flags.basePath,
	...(flags.token.length > 0 ? { tokens: flags.token } : {}),
	...(flags.scope.length > 0 ? { scopes: flags.scope as Scope[] } : {}),
});
const agents = flags.kubeconfig ? await startRunnerAgents({ cluster: flags.kubeconfig, github }) : undefined;
if (agents !== undefined) connectJobPlayer(github, agents);
console.log(github.url);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	process.once(signal, () => {
		agents?.stop();
		void github.stop();
	});
}
