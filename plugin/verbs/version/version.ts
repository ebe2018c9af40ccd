import { connectionFlags } from '../../cli/connection-flags.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { defineVerb } from '../../cli/verb.ts';
import { exitCode } from '../../errors.ts';
import { type GuardPresence, guardPresence } from '../../guard/presence.ts';
import { version as clientVersion } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { formatData } from '../../print/data.ts';
import { print } from '../../print/out.ts';

const guardText: Record<GuardPresence, string> = {
	installed: 'installed',
	'not-installed': 'not installed in this cluster',
	unknown: 'unknown (you may not read webhook configurations)',
};

export const version = defineVerb({
	name: 'version',
	summary: 'Show the versions of the plugin and the cluster, and whether the guard is installed',
	usage: 'version [--client] [-o json|yaml] [flags]',
	examples: [['Without contacting the cluster', 'version --client']],
	flags: {
		...connectionFlags,
		client: { type: Boolean, description: "Only the plugin's version, without contacting the cluster" },
		output: { type: String, alias: 'o', placeholder: 'FORMAT', description: 'json or yaml' },
	},
	run: async (_args, flags) => {
		const format = outputFormat(flags.output, ['json', 'yaml'] as const);
		const client = {
			version: `v${clientVersion}`,
			node: process.version,
			platform: `${process.platform}/${process.arch}`,
		};
		if (flags.client) {
			print(format ? formatData({ client }, format) : `Client Version: ${client.version}\n`);
			return exitCode.done;
		}
		// The plugin's version is printed even if the cluster cannot be reached.
		if (!format) print(`Client Version: ${client.version}\n`);
		const kube = await connect(flags);
		const [server, guard] = await Promise.all([
			kube.json<{ gitVersion: string }>('GET', '/version'),
			guardPresence(kube),
		]);
		if (format) print(formatData({ client, server: { version: server.gitVersion }, guard }, format));
		else print(`Server Version: ${server.gitVersion}\nGuard: ${guardText[guard]}\n`);
		return exitCode.done;
	},
});
