// How often something may be done: at most `burstMax` at once, then `perSecondMax`. Pure: the caller tells the time.

export class Rate {
  #allowance: number;
  #lookedAtMs = 0;

  constructor(
    private readonly perSecondMax: number,
    private readonly burstMax: number,
  ) {
    this.#allowance = burstMax;
  }

  /** Takes one if it may be done now, and returns 0; else how many milliseconds to wait. */
  take(nowMs: number): number {
    const passedS = Math.max(0, nowMs - this.#lookedAtMs) / 1000;
    this.#allowance = Math.min(this.burstMax, this.#allowance + passedS * this.perSecondMax);
    this.#lookedAtMs = nowMs;
    if (this.#allowance < 1) return Math.ceil(((1 - this.#allowance) / this.perSecondMax) * 1000);
    this.#allowance -= 1;
    return 0;
  }
}
