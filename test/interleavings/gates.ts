/** Somebody who stands at a named point and goes on when let. */
export interface Standing {
  readonly side: string;
  readonly point: string;
  readonly goOn: () => void;
}

/** The named points at which the sides of a schedule are stopped, until the schedule lets them go on. */
export class Gates {
  /** Those that stand, in the order in which they came. */
  readonly standing: Standing[] = [];
  /** Who is stopped where; nobody before and after the part of a history that is chosen. */
  stops: (side: string, point: string) => boolean = () => false;

  /** Resolves when the schedule lets the side go on. */
  stand(side: string, point: string): Promise<void> {
    if (!this.stops(side, point)) return Promise.resolve();
    return new Promise((goOn) => this.standing.push({ side, point, goOn }));
  }

  letGo(standing: Standing): void {
    this.standing.splice(this.standing.indexOf(standing), 1);
    standing.goOn();
  }

  isStopped(side: string): boolean {
    return this.standing.some((standing) => standing.side === side);
  }

  openAll(): void {
    this.stops = () => false;
    for (const standing of [...this.standing]) this.letGo(standing);
  }
}

/** `object` with some of its methods replaced; all others work on the object itself. */
export function withMethods<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get: (target, name): unknown => {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
