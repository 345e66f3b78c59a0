import { Inject, Injectable } from '@nestjs/common';
import { type BackupTargetDto, DmsError, type EnvelopeDto, Secret, sealToken } from '@app/contracts';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { NodeTrustService, type SealingKey } from './node-trust.service';

/** Puts the token of a command on its way: sealed for its node, or in clear where that is allowed. */
@Injectable()
export class TokenSealer {
  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ClientSettings, 'plainTokens'>,
    private readonly trust: NodeTrustService,
  ) {}

  /**
   * The body as it may be published; one without a token as it is.
   *
   * @param lifetimeMs for how long the command has a meaning
   * @throws DmsError NODE_UNREACHABLE where the node's key is not known yet; FORBIDDEN where the token would have to
   *   travel in clear and must not; LEDGER_UNAVAILABLE
   */
  async seal(
    host: string,
    body: Record<string, unknown>,
    lifetimeMs: number,
  ): Promise<Record<string, unknown>> {
    const { keystone_token: token } = body;
    if (!(token instanceof Secret)) return body;
    const key = await this.trust.sealingKey(host);
    const envelope = body.dms as EnvelopeDto | undefined;
    if (typeof key === 'string') return { ...body, keystone_token: this.#inClear(host, token, key) };
    if (envelope === undefined) {
      const text = `Node "${host}" has published a key, and now a Python server answers there: it gets no token. If that is right: dms nodes ${host} --accept-key none`;
      throw new DmsError('FORBIDDEN', text);
    }
    const target = body.backup_target as BackupTargetDto;
    const sealed = await sealToken(
      token,
      key,
      {
        node: host,
        incarnation: envelope.incarnation,
        epoch: envelope.epoch,
        operationId: envelope.operation_id,
        action: String(body.action),
        targetId: target.id,
        secretRef: target.secret_ref ?? null,
      },
      lifetimeMs,
    );
    return { ...body, keystone_token: null, dms: { ...envelope, sealed_token: sealed } };
  }

  #inClear(host: string, token: Secret, key: Extract<SealingKey, string>): string {
    if (key === 'unknown') {
      throw new DmsError(
        'NODE_UNREACHABLE',
        `Node "${host}" has not said hello: no token can be sealed for it`,
      );
    }
    if (this.settings.plainTokens === 'never') {
      const text = `Node "${host}" has published no key, and DMS_PLAIN_TOKENS forbids to send it a token in clear`;
      throw new DmsError('FORBIDDEN', text);
    }
    return token.reveal();
  }
}
