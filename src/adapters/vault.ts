import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { EngineError } from '../domain/errors';

export type Vault = {
  /** `aad` binds the seal to its place (table/row/column): moved elsewhere, it does not open. */
  seal: (plain: string, aad: string) => string;
  /** Throws `contract` on a flipped bit, another place or an unknown key. */
  open: (sealed: string, aad: string) => string;
};

/** Which key a seal needs; '' when it is no seal. */
export const kidOf = (sealed: string) => /^v1\.([\w-]+)\./.exec(sealed)?.[1] ?? '';

/** AES-256-GCM with a 96-bit random nonce (NIST SP 800-38D), as `v1.kid.nonce.ct.tag`. */
export function createVault({ keys, currentKid }: { keys: Map<string, Buffer>; currentKid: string }): Vault {
  const keyOf = (kid: string) => {
    const key = keys.get(kid);
    if (!key) throw new EngineError('contract', `no secrets key '${kid}'`);
    return key;
  };
  const bind = (aad: string, kid: string) => Buffer.from(`${aad}/${kid}`);

  return {
    seal(plain, aad) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', keyOf(currentKid), nonce).setAAD(bind(aad, currentKid));
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return ['v1', currentKid, ...[nonce, text, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.');
    },
    open(sealed, aad) {
      const [version, kid = '', nonce = '', text = '', tag = '', ...rest] = sealed.split('.');
      // Base64 has spare bits: only the one spelling that we write is taken.
      const plainly = [nonce, text, tag].every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
      if (version !== 'v1' || rest.length > 0 || !plainly) throw new EngineError('contract', 'a sealed secret has an unknown form');
      try {
        const decipher = createDecipheriv('aes-256-gcm', keyOf(kid), Buffer.from(nonce, 'base64url'), { authTagLength: 16 }).setAAD(bind(aad, kid));
        decipher.setAuthTag(Buffer.from(tag, 'base64url'));
        return Buffer.concat([decipher.update(Buffer.from(text, 'base64url')), decipher.final()]).toString('utf8');
      } catch (error) {
        if (error instanceof EngineError) throw error;
        throw new EngineError('contract', `the secret at ${aad} does not open`);
      }
    },
  };
}
