import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { type ClientSettings } from '../settings/client.settings';
import { AccessGuard } from './access.guard';
import { AccessMiddleware } from './access.middleware';
import { requireAccessSettings } from './access.settings';
import { AUTHENTICATOR, type Authenticator } from './authenticator.interface';
import { IdentityWatch } from './identity-watch.service';
import { KeystoneAuthenticator } from './keystone.authenticator';
import { KeystoneTokensAdapter } from './keystone-tokens.adapter';
import { KEYSTONE_TOKENS, type KeystoneTokens } from './keystone-tokens.interface';
import { LoadLimitService } from './load-limit.service';
import { OpenAuthenticator } from './open.authenticator';
import { RequestLimitsService } from './request-limits.service';
import { StaticTokenAuthenticator } from './static-token.authenticator';
import { TokenFileAdapter } from './token-file.adapter';
import { TOKEN_FILE, type TokenFile } from './token-file.interface';

/** Who calls over HTTP, what he may do, and how much of it. */
@Module({})
export class AccessModule {
  /** @throws SettingsError that names every setting which the mode lacks */
  static forRoot(settings: ClientSettings): DynamicModule {
    requireAccessSettings(settings);
    return {
      module: AccessModule,
      global: true,
      providers: [
        ...authenticatorOf(settings),
        RequestLimitsService,
        LoadLimitService,
        AccessMiddleware,
        IdentityWatch,
        { provide: APP_GUARD, useClass: AccessGuard },
      ],
      exports: [IdentityWatch, LoadLimitService],
    };
  }
}

function authenticatorOf(settings: ClientSettings): Provider[] {
  const { authMode, authUrl, authCacheMs, tokenFile } = settings;
  switch (authMode) {
    case 'none':
      return [{ provide: AUTHENTICATOR, useFactory: (): Authenticator => new OpenAuthenticator() }];
    case 'token':
      return [
        { provide: TOKEN_FILE, useFactory: (): TokenFile => new TokenFileAdapter(tokenFile ?? '') },
        {
          provide: AUTHENTICATOR,
          inject: [TOKEN_FILE],
          useFactory: (file: TokenFile): Authenticator => new StaticTokenAuthenticator(file),
        },
      ];
    case 'keystone':
      return [
        {
          provide: KEYSTONE_TOKENS,
          useFactory: (): KeystoneTokens => new KeystoneTokensAdapter(authUrl ?? '', settings),
        },
        {
          provide: AUTHENTICATOR,
          inject: [KEYSTONE_TOKENS],
          useFactory: (keystone: KeystoneTokens): Authenticator =>
            new KeystoneAuthenticator(keystone, authCacheMs, authUrl ?? ''),
        },
      ];
  }
}
