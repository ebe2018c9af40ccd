/**
 * Replaces body-parser in the server's bundle (scripts/build.ts). express imports it for its own body readers, which this
 * project does not use (see body.ts); with the character sets of all the world it would be half a megabyte of code.
 */
export function json(): never {
	throw new Error('body-parser is not in this bundle: use webhook/body.ts');
}

export { json as raw, json as text, json as urlencoded };
