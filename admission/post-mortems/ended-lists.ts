import { type EndedRunner, endedRunners, endText, readEnded } from '../api/ended-runners.ts';
import { partOf } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import { camelCase } from '../api/reasons.ts';
import { readSet, type SetObject } from '../cluster/set-object.ts';
import { isConflict, type KubeClient, KubeError } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import type { Events } from '../kube/events.ts';
import { createUnlessPresent, getObject, replaceObject } from '../kube/objects.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import type { SetOfRunners } from './rules/entry.ts';
import { configMapName, expiresInMs, mergedList, newIn } from './rules/list.ts';
import { firstLookMs, mostListed, mostSets, writeEveryMs, writeTries } from './rules/policy.ts';

interface EndedListsDependencies {
	client: KubeClient;
	events: Events;
	metrics: ReconcileObserver;
	clock: Clock;
	log: Log;
}

interface Added {
	entry: EndedRunner;
	/** Called where the list lacked it. */
	onNew?: (() => void) | undefined;
}

interface SetKey {
	namespace: string;
	set: SetOfRunners | undefined;
}

interface ConfigMap extends KubeObject {
	data?: Record<string, string>;
}

/**
 * The lists of runners that ended, in a ConfigMap for each set in the set's namespace, which goes with the set; runners without
 * a set, or whose set is gone, have one together in each namespace. Only the
 * leader writes them; what others have written in between is read again, and what is too old is removed.
 */
export class EndedLists {
	/** By set: what is to be written. */
	readonly #waiting = new BoundedMap<string, Added[]>({ most: mostSets });
	/** Sets whose list has been looked at, or will be. */
	readonly #seen = new BoundedMap<string, true>({ most: mostSets });
	readonly #controller: Controller<string>;
	readonly #dependencies: EndedListsDependencies;

	constructor(dependencies: EndedListsDependencies) {
		this.#dependencies = dependencies;
		this.#controller = new Controller<string>(
			{
				name: 'ended-runners',
				field: 'set',
				concurrency: 2,
				reconcile: (key) => this.#write(key),
				failure: 'the list of runners that ended was not written',
				warnsOnce: true,
			},
			dependencies,
		);
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	/** A pod of the set was seen: what the leader before has left in its list is removed when it is too old. */
	seen(namespace: string, set: SetOfRunners | undefined): void {
		const key = textOf({ namespace, set });
		if (this.#seen.add(key, true)) this.#controller.enqueueAfter(key, firstLookMs + this.#seen.size * 100);
	}

	add(namespace: string, set: SetOfRunners | undefined, added: Added): void {
		const key = textOf({ namespace, set });
		this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), added].slice(-mostListed));
		this.#controller.enqueueAfter(key, writeEveryMs);
	}

	async #write(key: string): Promise<Requeue> {
		const { clock, log } = this.#dependencies;
		const added = this.#waiting.get(key) ?? [];
		try {
			const owner = await this.#ownerOf(key);
			if (owner === 'gone') {
				const { namespace } = keyOf(key);
				for (const one of added) this.add(namespace, undefined, one);
				return this.#done(key, added);
			}
			const written = await this.#writeList(key, added, owner);
			this.#done(key, added);
			for (const { onNew } of written.fresh) onNew?.();
			if (owner)
				this.#report(
					owner,
					written.fresh.map(({ entry }) => entry),
				);
			const ms = expiresInMs(written.kept, clock.now());
			return ms === undefined ? undefined : { afterMs: ms + writeEveryMs };
		} catch (error) {
			if (!isFinal(error)) throw error;
			// The namespace is being deleted, or somebody does not let us: Events and the log have it all the same.
			log.warn({ set: key, error: String(error) }, 'the list of runners that ended cannot be written');
			return this.#done(key, added);
		}
	}

	/** What has come meanwhile stays. */
	#done(key: string, added: readonly Added[]): undefined {
		const left = (this.#waiting.get(key) ?? []).filter((one) => !added.includes(one));
		if (left.length === 0) this.#waiting.delete(key);
		else {
			this.#waiting.replace(key, left);
			this.#controller.enqueueAfter(key, writeEveryMs);
		}
		return undefined;
	}

	/** The set itself, read now; undefined: the runners belong to none. */
	async #ownerOf(key: string): Promise<SetObject | 'gone' | undefined> {
		const { namespace, set } = keyOf(key);
		if (!set) return undefined;
		return (await readSet(this.#dependencies.client, { ...set, namespace })) ?? 'gone';
	}

	async #writeList(
		key: string,
		added: readonly Added[],
		owner: SetObject | undefined,
	): Promise<{ fresh: Added[]; kept: readonly EndedRunner[] }> {
		const { client, clock } = this.#dependencies;
		const { namespace, set } = keyOf(key);
		const name = configMapName(set);
		const path = objectPath(resources.configMaps, { namespace, name });
		for (let tries = 1; ; tries++) {
			const stored = await getObject<ConfigMap>(client, path);
			if (stored && stored.metadata.labels?.[endedRunners.label] !== 'true')
				throw new NotOurs(`ConfigMap ${namespace}/${name} is somebody else's`);
			const before = stored?.data?.[endedRunners.key];
			const list = readEnded(before, clock.now());
			const entries = newIn(
				list,
				added.map(({ entry }) => entry),
			);
			const fresh = added.filter(({ entry }) => entries.includes(entry));
			const { kept, text } = mergedList(list, entries, clock.now());
			const isSame = stored ? text === before : kept.length === 0;
			if (isSame || (await this.#put(stored, path, configMap(namespace, name, text, owner))))
				return { fresh, kept };
			if (tries === writeTries) throw new Error('others write the list at the same time');
		}
	}

	/** False: somebody else has written or made it meanwhile. */
	async #put(stored: ConfigMap | undefined, path: string, wanted: ConfigMap): Promise<boolean> {
		const { client } = this.#dependencies;
		const { namespace } = wanted.metadata;
		if (!stored) return createUnlessPresent(client, collectionPath(resources.configMaps, namespace), wanted);
		const { uid, resourceVersion } = stored.metadata;
		const metadata = {
			...wanted.metadata,
			...(uid ? { uid } : {}),
			...(resourceVersion ? { resourceVersion } : {}),
		};
		try {
			await replaceObject(client, path, { ...wanted, metadata });
			return true;
		} catch (error) {
			if (isConflict(error)) return false;
			throw error;
		}
	}

	/** One Event for all that were written together. */
	#report(owner: SetObject, fresh: readonly EndedRunner[]): void {
		const [first] = fresh;
		if (!first) return;
		const more = fresh.length > 1 ? ` (and ${fresh.length - 1} more: kubectl runners list --ended)` : '';
		const message = `runner pod ${first.pod} ended: ${endText(first)}${more}`;
		this.#dependencies.events.send(owner, 'Warning', camelCase(first.reason), 'Run', message);
	}
}

/** Somebody's own ConfigMap has the name. */
class NotOurs extends Error {}

/** Whether it would fail again: no right, no such namespace, a ConfigMap that may not be changed. */
const isFinal = (error: unknown): boolean =>
	error instanceof NotOurs ||
	(error instanceof KubeError && [400, 403, 404, 405, 413, 422].includes(error.code));

function configMap(namespace: string, name: string, text: string, owner: SetObject | undefined): ConfigMap {
	const { apiVersion, kind, metadata } = owner ?? {};
	const reference = apiVersion &&
		kind &&
		metadata?.uid && { apiVersion, kind, name: metadata.name, uid: metadata.uid };
	return {
		apiVersion: 'v1',
		kind: 'ConfigMap',
		metadata: {
			name,
			namespace,
			labels: { [endedRunners.label]: 'true', [partOf.key]: partOf.value },
			...(reference ? { ownerReferences: [reference] } : {}),
		},
		data: { [endedRunners.key]: text },
	};
}

const textOf = ({ namespace, set }: SetKey): string =>
	[namespace, set?.kind ?? '', set?.name ?? ''].join('/');

function keyOf(text: string): SetKey {
	const [namespace = '', kind = '', name = ''] = text.split('/');
	return { namespace, set: kind === '' ? undefined : ({ kind, name } as SetOfRunners) };
}
