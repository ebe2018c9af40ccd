import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../../admission/api/keys.ts';
import type { ConnectionFlags } from '../cli/connection-flags.ts';
import type { DryRun } from '../cli/flag-types.ts';
import { CliError, exitCode } from '../errors.ts';
import { connect } from '../kube/connect.ts';
import { mapLimited } from '../kube/limited.ts';
import { print, printError } from '../print/out.ts';
import { confirmed } from './confirm.ts';
import { forgetJobs } from './forget-jobs.ts';
import { installedIn } from './installed-in.ts';
import { removeBudget } from './kept-budgets.ts';
import { type Manifest, nameOf } from './manifest.ts';
import { Objects } from './objects.ts';
import { overlays } from './overlays.ts';
import { isOurNamespace, ownsFields } from './ownership.ts';
import { autoscalersWarning, recordedWarning, serverWarning, uninstallRefusal } from './refusals.ts';
import { foreignObjects, isNothing, type Remains, survey } from './survey.ts';
import { podsOfSets } from './takeover.ts';
import { finalizedObjects, releasePod, releaseSets } from './traces.ts';

export interface UninstallOptions {
	connection: ConnectionFlags;
	namespace: string;
	keepCrds: boolean;
	dryRun: DryRun;
	/** Do not ask. */
	yes: boolean;
	/** How long to wait until definitions and namespace are gone; 0: forever. */
	timeoutMs: number;
}

const lookEveryMs = 300;

/** Removes webhook configurations first, then what we wrote on other objects, then everything else. */
export async function runUninstall(options: UninstallOptions): Promise<number> {
	const api = new Objects(await connect(options.connection), options.dryRun);
	await refuseOtherNamespace(api, options.namespace);
	const remains = await survey(api, overlays, options.namespace);
	const finalized = await finalizedObjects(api);
	if (isNothing(remains, options.keepCrds) && finalized.length === 0) {
		print('nothing to uninstall\n');
		return exitCode.done;
	}
	const pods = remains.sets.length + finalized.length > 0 ? await podsOfSets(api.client) : [];
	const refusal = uninstallRefusal(remains.sets, finalized, pods, options.keepCrds, Date.now());
	if (refusal) throw new CliError(refusal);
	const autoscalers = options.keepCrds ? [] : remains.autoscalers;
	for (const warning of [recordedWarning(remains.recorded), autoscalersWarning(autoscalers)]) {
		if (warning) printError(warning);
	}
	if (options.dryRun === 'none' && !options.yes && !(await confirmed(options.namespace))) {
		throw new CliError('error: not confirmed: nothing was changed');
	}
	return new Uninstall(api, remains, options).run();
}

class Uninstall {
	readonly #api: Objects;
	readonly #remains: Remains;
	readonly #options: UninstallOptions;

	constructor(api: Objects, remains: Remains, options: UninstallOptions) {
		this.#api = api;
		this.#remains = remains;
		this.#options = options;
	}

	async run(): Promise<number> {
		const { keepCrds, dryRun, namespace } = this.#options;
		const crds = keepCrds ? [] : this.#remains.crds;
		await this.#clear(this.#remains);
		if (dryRun === 'none') {
			// A second time, because the server may have written just before it lost its rights.
			await this.#clear(await survey(this.#api, overlays, namespace));
		}
		await this.#remove(crds);
		const leaving = await this.#letNamespaceGo();
		const warning = serverWarning(this.#remains, Date.now());
		if (warning) printError(warning);
		return dryRun === 'none' ? this.#untilGone([...crds, ...leaving]) : exitCode.done;
	}

	async #clear({ webhooks, powers, pods, budgets, tokens, others, own }: Remains): Promise<void> {
		await this.#remove(webhooks);
		// From here on a server outside of the cluster cannot write either, so it cannot undo what follows.
		await this.#remove(powers);
		await mapLimited(pods, async (pod) => {
			const { namespace, name } = pod.metadata;
			if (await releasePod(this.#api, pod)) this.#say(`pod/${name} released (namespace ${namespace})`);
		});
		await releaseSets(this.#api, (line) => this.#say(line));
		const { namespace } = this.#options;
		if (await forgetJobs(this.#api, namespace)) this.#say(`workflowjobs removed (namespace ${namespace})`);
		await this.#remove(budgets, (budget) => removeBudget(this.#api, budget));
		await this.#remove([...tokens, ...others, ...own]);
	}

	#say(line: string): void {
		const suffix = { none: '', client: ' (dry run)', server: ' (server dry run)' }[this.#options.dryRun];
		print(`${line}${suffix}\n`);
	}

	async #remove(
		objects: readonly Manifest[],
		remove = (object: Manifest) => this.#api.remove(object),
	): Promise<void> {
		for (const object of objects) {
			if (object.metadata.deletionTimestamp !== undefined) continue; // is being deleted already
			if (await remove(object)) this.#say(`${nameOf(object)} removed`);
		}
	}

	/**
	 * Deletes our namespace if it is empty. In a namespace of the user's, it only gives up the fields that we own.
	 * Resolves with what is being deleted.
	 */
	async #letNamespaceGo(): Promise<Manifest[]> {
		const { namespace } = this.#remains;
		if (!namespace) return [];
		const { apiVersion, kind, metadata } = namespace;
		if (!isOurNamespace(namespace)) {
			// Server-side apply of an empty object gives up every field that we own.
			if (this.#options.dryRun !== 'client' && ownsFields(namespace)) {
				await this.#api.apply({ apiVersion, kind, metadata: { name: metadata.name } });
			}
			this.#say(`${nameOf(namespace)} stays: others have written to it`);
			return [];
		}
		const foreign = await foreignObjects(this.#api, metadata.name, this.#remains);
		if (foreign.length > 0) {
			const more = foreign.length > 1 ? ` and ${foreign.length - 1} more` : '';
			this.#say(
				`${nameOf(namespace)} stays: it contains ${foreign[0]}${more}, not created by this installation`,
			);
			return [];
		}
		await this.#remove([namespace]);
		return [namespace];
	}

	async #untilGone(leaving: readonly Manifest[]): Promise<number> {
		const { timeoutMs } = this.#options;
		const startedMs = Date.now();
		for (const object of leaving) {
			while (await isThere(this.#api, object)) {
				if (timeoutMs > 0 && Date.now() - startedMs > timeoutMs) {
					printError(
						`error: timed out waiting for ${nameOf(object)} to be gone; its deletion continues without this command`,
					);
					return exitCode.timeout;
				}
				await sleep(lookEveryMs);
			}
		}
		print(`uninstalled\n`);
		return exitCode.done;
	}
}

async function isThere(api: Objects, object: Manifest): Promise<boolean> {
	return (await api.get(object))?.metadata.uid === object.metadata.uid;
}

/** Throws if the guard is installed in another namespace. */
async function refuseOtherNamespace(api: Objects, namespace: string): Promise<void> {
	const other = await installedIn(api);
	if (other === undefined || other === namespace) return;
	throw new CliError(
		`error: ${names.server} is installed in namespace ${other}: kubectl runners uninstall -n ${other}`,
	);
}
