/**
 * Publishes changes to its subscribers: synchronously, each change to all of them in the order in which they subscribed, and
 * the changes in the order in which they were made. What a subscriber changes itself is published after that.
 */
export class Publisher<Change> {
	readonly #subscribers: ((change: Change) => void)[] = [];
	readonly #pending: Change[] = [];
	#isPublishing = false;

	/** For as long as the publisher is used. */
	subscribe(subscriber: (change: Change) => void): void {
		this.#subscribers.push(subscriber);
	}

	/** @throws the first mistake of a subscriber, once all the others have been called */
	publish(change: Change): void {
		this.#pending.push(change);
		if (this.#isPublishing) return;
		this.#isPublishing = true;
		const mistakes: unknown[] = [];
		for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift())
			this.#call(next, mistakes);
		this.#isPublishing = false;
		if (mistakes.length > 0) throw mistakes[0];
	}

	#call(change: Change, mistakes: unknown[]): void {
		for (const subscriber of this.#subscribers)
			try {
				subscriber(change);
			} catch (error) {
				mistakes.push(error);
			}
	}
}
