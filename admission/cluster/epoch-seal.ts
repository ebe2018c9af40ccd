import type { EpochSeal } from '../webhook/callers.ts';
import type { Signer } from './signer.ts';

/** Signs the epochs in the webhooks' paths. */
export function epochSeal(signer: Signer): EpochSeal {
	const statement = (epoch: number) => [String(epoch)];
	return {
		sign: (epoch) => Buffer.from(signer.sign('caller', statement(epoch)), 'base64url').toString('hex'),
		verify: (epoch, signature) =>
			signer.verify('caller', statement(epoch), Buffer.from(signature, 'hex').toString('base64url')),
	};
}
