import type { IncomingMessage } from 'node:http';

/**
 * Reads the body of a request.
 *
 * @param refusalOf called for each part that comes, with the size so far and that of the part: why no more is read, if so
 * @returns 'broken-off': the caller closed the connection
 */
export function readBody<Refusal>(
	request: IncomingMessage,
	refusalOf: (size: number, added: number) => Refusal | undefined,
): Promise<Buffer | Refusal | 'broken-off'> {
	return new Promise((resolve) => {
		const chunks: Buffer[] = [];
		let size = 0;
		request.on('data', (chunk: Buffer) => {
			size += chunk.length;
			const refusal = refusalOf(size, chunk.length);
			if (refusal === undefined) {
				chunks.push(chunk);
				return;
			}
			request.removeAllListeners('data').pause(); // not destroyed, because the answer is still to be sent
			resolve(refusal);
		});
		request.once('end', () => resolve(Buffer.concat(chunks)));
		request.once('error', () => resolve('broken-off'));
		request.once('aborted', () => resolve('broken-off'));
	});
}
