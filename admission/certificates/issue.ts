import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { backdateMs } from './policy.ts';
import { newKeys, sign } from './sign.ts';
import { type Authority, endsAtMs, type KeyPair } from './x509.ts';
import {
	AuthorityKeyIdentifierExtension,
	BasicConstraintsExtension,
	ExtendedKeyUsage,
	ExtendedKeyUsageExtension,
	type Extension,
	KeyUsageFlags,
	KeyUsagesExtension,
	SubjectAlternativeNameExtension,
	SubjectKeyIdentifierExtension,
	X509Certificate,
} from './x509-library.ts';

/** A CA of its own name: where several of one name are trusted, some verifiers try only the first. */
export async function issueAuthority(
	lifetimeMs: number,
	nowMs: number,
): Promise<Authority & { key: string }> {
	const { privateKey, publicKey, pem } = newKeys();
	const name = [{ CN: [`runners-admission CA ${randomBytes(4).toString('hex')}`] }];
	const unsigned = {
		subject: name,
		issuer: name,
		publicKey,
		notBefore: new Date(nowMs - backdateMs(lifetimeMs)),
		notAfter: new Date(nowMs + lifetimeMs),
		extensions: [
			new BasicConstraintsExtension(true, undefined, true),
			new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
			await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto as Crypto),
		],
	};
	return { cert: await sign(unsigned, privateKey), key: pem };
}

/** A serving certificate for `hosts`, which never outlives its CA. @throws Error when the CA can't sign. */
export async function issueServing(
	authority: Authority,
	hosts: readonly string[],
	lifetimeMs: number,
	nowMs: number,
): Promise<KeyPair> {
	if (!authority.key) throw new Error('a CA without its key can not sign');
	const ca = new X509Certificate(authority.cert);
	const { publicKey, pem } = newKeys();
	const extensions: Extension[] = [
		new BasicConstraintsExtension(false, undefined, true),
		new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
		new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
		new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns' as const, value }))),
	];
	const caKeyId = ca.getExtension(SubjectKeyIdentifierExtension)?.keyId;
	if (caKeyId) extensions.push(new AuthorityKeyIdentifierExtension(caKeyId));
	const unsigned = {
		// Common names have 64 characters at most, host names may have more: only the alternative names are read.
		subject: [{ CN: ['runners-admission'] }],
		issuer: ca.subjectName,
		publicKey,
		notBefore: new Date(nowMs - backdateMs(lifetimeMs)),
		notAfter: new Date(Math.min(nowMs + lifetimeMs, endsAtMs(authority.cert))),
		extensions,
	};
	return { cert: await sign(unsigned, createPrivateKey(authority.key)), key: pem };
}
