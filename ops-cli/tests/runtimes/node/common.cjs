// What handlers of both kinds of module share.
exports.pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

exports.Refused = class Refused extends TypeError {
  constructor(message, reason) {
    super(message);
    this.name = 'Refused';
    this.reason = reason;
    this.details = { nested: [1, { deep: true }] };
  }
};
