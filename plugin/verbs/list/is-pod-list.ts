import { resourceArgument } from '../../sets/names.ts';

export const listName = 'list';
export const listAliases = ['get', 'ls'];

/**
 * Whether the command line asks for pods, as a table or as names. If it might ask for anything else, the answer is no.
 */
export function isPodList([name = '', ...rest]: readonly string[]): boolean {
	return (name === listName || listAliases.includes(name)) && !rest.some(mayAskForMore);
}

/** Whether an argument may ask for sets, data or runners that died, which only the second bundle can print. */
function mayAskForMore(argument: string): boolean {
	return meansSets(argument) || /json|yaml|^--ended/.test(argument);
}

/** Whether an argument means sets: `sets`, or one of their kinds. */
export function meansSets(arg: string | undefined): boolean {
	return arg !== undefined && resourceArgument(arg.split('/')[0] ?? '') !== undefined;
}
