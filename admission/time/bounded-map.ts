/** What a map forgets, so that it stays small whatever is put into it. */
interface Bounds<Key, Value> {
	/** How many entries it holds at most. */
	most: number;
	/** How long an entry lasts after it was last set; default: until there are too many. */
	lastsMs?: number;
	/** Entries that stay even if they are old, or too many; default: none. */
	isPinned?: (value: Value) => boolean;
	/** 0 or more. Where there are too many, the entry with the lowest rank goes; of several, the one set longest ago. Default: 0. */
	rank?: (value: Value) => number;
	/** Whose an entry is, so that nobody's entries push out another's: where there are too many, one of those goes who have the most. */
	ownerOf?: (value: Value) => string;
	/** Called for each entry that is too old or one too many, and not for one that is deleted or set anew. */
	onForget?: (key: Key, value: Value) => void;
}

interface Entry<Value> {
	value: Value;
	untilMs: number;
}

/**
 * A map with a limit, for what others can make us remember. Setting a key makes it the newest; the oldest entries are
 * forgotten first. The caller's times may come from either clock, as long as they all come from the same one.
 */
export class BoundedMap<Key, Value> {
	readonly #bounds: Bounds<Key, Value>;
	/** The one that was set longest ago comes first. */
	readonly #entries = new Map<Key, Entry<Value>>();
	/** How many entries each owner has. */
	readonly #counts = new Map<string, number>();

	constructor(bounds: Bounds<Key, Value>) {
		this.#bounds = bounds;
	}

	/** Entries that have expired count until the next `set`, `add` or `forgetOld`. */
	get size(): number {
		return this.#entries.size;
	}

	/** undefined: there is none, or it has expired. */
	get(key: Key, nowMs = Number.NEGATIVE_INFINITY): Value | undefined {
		const entry = this.#entries.get(key);
		return entry && nowMs < entry.untilMs ? entry.value : undefined;
	}

	has(key: Key, nowMs = Number.NEGATIVE_INFINITY): boolean {
		const entry = this.#entries.get(key);
		return entry !== undefined && nowMs < entry.untilMs;
	}

	/** Makes it the newest entry; where there are too many, another one is forgotten. @param lastsMs in place of the bounds' */
	set(key: Key, value: Value, nowMs = 0, lastsMs = this.#bounds.lastsMs ?? Number.POSITIVE_INFINITY): void {
		this.#remove(key);
		this.forgetOld(nowMs);
		if (this.#entries.size >= this.#bounds.most) this.#forgetOneFor(value);
		const entry = { value, untilMs: nowMs + lastsMs };
		this.#entries.set(key, entry);
		this.#count(entry, 1);
	}

	/** Sets a key that is not there yet, unless the map is full: then nothing is forgotten for it. False: it was not set. */
	add(key: Key, value: Value, nowMs = 0): boolean {
		this.forgetOld(nowMs);
		if (this.#entries.has(key) || this.#entries.size >= this.#bounds.most) return false;
		this.set(key, value, nowMs);
		return true;
	}

	/** Replaces the value of a key that is there, which stays as old as it is. */
	replace(key: Key, value: Value): void {
		const entry = this.#entries.get(key);
		if (!entry) return;
		this.#count(entry, -1);
		entry.value = value;
		this.#count(entry, 1);
	}

	delete(key: Key): boolean {
		return this.#remove(key);
	}

	clear(): void {
		this.#entries.clear();
		this.#counts.clear();
	}

	/** The one set longest ago first; those that have expired included. An entry may be deleted meanwhile. */
	*[Symbol.iterator](): IterableIterator<[Key, Value]> {
		for (const [key, { value }] of this.#entries) yield [key, value];
	}

	keys(): IterableIterator<Key> {
		return this.#entries.keys();
	}

	*values(): IterableIterator<Value> {
		for (const { value } of this.#entries.values()) yield value;
	}

	/** Forgets what has expired, up to the first entry that has not: most last equally long, so nothing is searched. */
	forgetOld(nowMs: number): void {
		for (const [key, { value, untilMs }] of this.#entries) {
			if (nowMs < untilMs || this.#isPinned(value)) return;
			this.#forget(key, value);
		}
	}

	#forgetOneFor(fresh: Value): void {
		const { rank = () => 0, ownerOf } = this.#bounds;
		const owners = ownerOf && this.#ownersOfMost(ownerOf(fresh));
		let lowest: { key: Key; value: Value; rank: number } | undefined;
		for (const [key, { value }] of this.#entries) {
			if (this.#isPinned(value) || (owners && ownerOf && !owners.has(ownerOf(value)))) continue;
			const own = rank(value);
			if (!lowest || own < lowest.rank) lowest = { key, value, rank: own };
			if (own === 0) break;
		}
		if (lowest) this.#forget(lowest.key, lowest.value);
	}

	/** Whose entries are the most, with one that is about to be added: that one's owner if nobody has more. */
	#ownersOfMost(added: string): ReadonlySet<string> {
		const counted = [...this.#counts].map(([owner, count]) => ({
			owner,
			count: count + Number(owner === added),
		}));
		const most = Math.max(...counted.map(({ count }) => count));
		const owners = new Set(counted.flatMap(({ owner, count }) => (count === most ? [owner] : [])));
		return owners.has(added) ? new Set([added]) : owners;
	}

	#count({ value }: Entry<Value>, by: 1 | -1): void {
		const { ownerOf } = this.#bounds;
		if (!ownerOf) return;
		const owner = ownerOf(value);
		const count = (this.#counts.get(owner) ?? 0) + by;
		if (count > 0) this.#counts.set(owner, count);
		else this.#counts.delete(owner);
	}

	#remove(key: Key): boolean {
		const entry = this.#entries.get(key);
		if (entry) this.#count(entry, -1);
		return this.#entries.delete(key);
	}

	#forget(key: Key, value: Value): void {
		this.#remove(key);
		this.#bounds.onForget?.(key, value);
	}

	#isPinned(value: Value): boolean {
		return this.#bounds.isPinned?.(value) ?? false;
	}
}
