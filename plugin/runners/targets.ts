import type { Pod } from '../../admission/api/kinds.ts';
import { isRunnerPod } from '../../admission/runner/runner-pod.ts';
import { CliError, usageError } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { ApiError, asCliError, isNotFound } from '../kube/failure.ts';
import { mapLimited } from '../kube/limited.ts';
import { getPod, listPods, type PodQuery } from '../kube/pods.ts';
import { printError } from '../print/out.ts';

export interface Targets {
	pods: Pod[];
	/** What could not be found or read; printed after the rest is done. */
	errors: CliError[];
}

/** The pod with this name, which must be a runner. */
export async function getRunner(client: KubeClient, name: string): Promise<Pod> {
	const pod = await getPod(client, client.namespace, bareName(name));
	if (!isRunnerPod(pod)) throw usageError(`pod "${pod.metadata.name}" is not a runner; use kubectl for it`);
	return pod;
}

/** NAME may be given as `pod/NAME`, which is what `-o name` prints. */
export function bareName(arg: string): string {
	const name = arg.replace(/^(pods?|po)\//, '');
	if (name === '' || name.includes('/')) throw usageError(`"${arg}" is not the name of a pod`);
	return name;
}

/** The runners that a command line names, by name. `isMeant` selects which pods may be named. */
export async function namedRunners(
	client: KubeClient,
	args: string[],
	ignoreNotFound: boolean,
	isMeant: (pod: Pod) => boolean = isRunnerPod,
): Promise<Targets> {
	const targets: Targets = { pods: [], errors: [] };
	const names = [...new Set(args.map(bareName))];
	const answers = await mapLimited(names, (name) =>
		getPod(client, client.namespace, name).catch((error: unknown) => {
			if (error instanceof ApiError) return error;
			throw error;
		}),
	);
	for (const answer of answers) {
		if (answer instanceof ApiError) {
			if (!ignoreNotFound || !isNotFound(answer)) targets.errors.push(toCliError(answer));
		} else if (isMeant(answer)) targets.pods.push(answer);
		else targets.errors.push(usageError(`pod "${answer.metadata.name}" is not a runner; use kubectl for it`));
	}
	return targets;
}

/** The runners of the namespace, or those with the labels. */
export async function selectedRunners(client: KubeClient, labelSelector: string | undefined): Promise<Pod[]> {
	const { pods } = await listPods(client, { namespace: client.namespace, labelSelector });
	return pods.filter(isRunnerPod);
}

/** A query that contains these pods. A single pod is followed by name, which is cheap even in a large namespace. */
export function queryFor(pods: readonly Pod[]): PodQuery {
	const [first] = pods;
	const namespace = first?.metadata.namespace;
	return pods.length === 1
		? { namespace, fieldSelector: `metadata.name=${first?.metadata.name}` }
		: { namespace };
}

/** At most three lines, however many there are. */
export function printErrors(errors: readonly CliError[]): void {
	const [first, second, third, ...more] = errors.map((error) => error.message.split('\n')[0]);
	for (const line of [first, second]) if (line) printError(line);
	if (third) printError(more.length > 0 ? `... and ${more.length + 1} more errors` : third);
}

export function toCliError(error: unknown): CliError {
	return asCliError(error) ?? new CliError(`error: ${(error as Error).message}`);
}
