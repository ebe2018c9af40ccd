import { mostPerPage, pagesUntilGrowth } from './policy.ts';

/** How many objects to ask for in the next page of a list, so that few pages are longer than `largeBytes`. */
export class PageLimit {
	#objects = mostPerPage;
	/** How many pages of this size were read. */
	#pages = 0;

	get objects(): number {
		return this.#objects;
	}

	/** A page of this size was too long. False: it was that of a single object. */
	shrink(): boolean {
		if (this.#objects === 1) return false;
		this.#objects = Math.max(1, Math.floor(this.#objects / 4));
		this.#pages = 0;
		return true;
	}

	/** A page of this size, or a single object that was too long, was read. */
	read(): void {
		this.#pages += 1;
		if (this.#pages < pagesUntilGrowth) return;
		this.#objects = Math.min(mostPerPage, 2 * this.#objects);
		this.#pages = 0;
	}
}
