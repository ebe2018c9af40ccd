import { collectionPath, objectPath, resources } from '../api/paths.ts';
import { Accounts, type AccountsOptions } from '../github/accounts.ts';
import type { AccountState } from '../github/types.ts';
import type { KubeClient } from '../kube/client.ts';
import { getObject, listObjects } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';

interface GitHubAccountsOptions
	extends Omit<AccountsOptions, 'readSecret' | 'isTerminating' | 'onStateChange'> {
	client: KubeClient;
	/** Called whenever the calls of an account work again. */
	onRecovered: () => void;
	log: Log;
}

/** The accounts at GitHub whose credentials are in Secrets of the cluster. Changes of their state are logged. */
export function githubAccounts({ client, onRecovered, log, ...options }: GitHubAccountsOptions): Accounts {
	return new Accounts({
		...options,
		readSecret: (namespace, name) => readSecret(client, namespace, name),
		isTerminating: (name) => isTerminating(client, name),
		onStateChange(account, before, after) {
			logState(log, account, after);
			if (after.healthy && !before.healthy) onRecovered();
		},
	});
}

/** A review can wait no longer than this. */
const readWithinMs = 2_500;

/** The data of a Secret, base64 as it is; undefined where there is none of this name. */
export async function readSecret(
	client: KubeClient,
	namespace: string,
	name: string,
): Promise<Record<string, string> | undefined> {
	const path = objectPath(resources.secrets, { namespace, name });
	const secret = await getObject<{ data?: Record<string, string> }>(client, path, {
		timeoutMs: readWithinMs,
	});
	return secret && (secret.data ?? {});
}

/** Whether this namespace is being deleted. By a list of one, because the server may list namespaces, and not get one. */
async function isTerminating(client: KubeClient, name: string): Promise<boolean> {
	const query = { fieldSelector: `metadata.name=${name}` };
	const limits = { timeoutMs: readWithinMs };
	const found = await listObjects(client, collectionPath(resources.namespaces), query, limits);
	return found.some(({ metadata }) => metadata.deletionTimestamp !== undefined);
}

/** How many scopes a line of the log names, the newest ones: pods can name any number. */
const mostScopesLogged = 20;

function logState(
	log: Log,
	account: string,
	{ healthy, remaining, limit, failure, forbidden }: AccountState,
): void {
	const scopes = Object.keys(forbidden);
	const facts = {
		account,
		remaining,
		limit,
		failure,
		forbidden: scopes.slice(-mostScopesLogged),
		forbiddenCount: scopes.length,
	};
	if (healthy) log.info(facts, 'GitHub can be asked');
	else log.warn(facts, 'GitHub cannot be asked');
}
