exports.handler = async (event) => {
  for (const record of event.Records) console.log(Buffer.from(record.kinesis.data, "base64").toString());
};
