import { CliError } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { type RunnersSet, refOf } from '../sets/api.ts';
import { shortName } from '../sets/names.ts';
import { autoscalerName, autoscalersFor, isWithoutAutoscalers, listAutoscalers } from './api.ts';
import { limitsText } from './state.ts';

/** Throws if an autoscaler decides how many runners the set has: it would undo what is written. */
export async function refuseAutoscaled(client: KubeClient, set: RunnersSet, wanted: number): Promise<void> {
	let found: Awaited<ReturnType<typeof listAutoscalers>>;
	try {
		found = await listAutoscalers(client);
	} catch (error) {
		// Who may scale sets, and not read autoscalers, is not kept from it.
		if (isWithoutAutoscalers(error)) return;
		throw error;
	}
	const [autoscaler] = autoscalersFor(set, found);
	if (!autoscaler || autoscaler.metadata.deletionTimestamp !== undefined) return;
	const name = shortName(refOf(set));
	const limits = wanted === 0 ? '--min=0 --max=0' : `--min=${wanted}`;
	throw new CliError(
		`error: ${name} is scaled by ${autoscalerName(autoscaler)} (${limitsText(autoscaler)}), which would undo this\n` +
			`Change its limits: kubectl runners autoscale ${name} ${limits} -n ${client.namespace}\n` +
			'To write the number anyway: --force',
	);
}
