-- The load of every proxy: the same requests, each with a token drawn from the list.
-- Arguments: file of tokens ("-": none), method, bytes of the body, Cookie header ("": none).
local requests = {}

function init(args)
  local file, method, size, cookie = args[1], args[2], tonumber(args[3]), args[4]
  local body = size > 0 and string.rep("b", size) or nil
  if cookie and cookie ~= "" then wrk.headers["Cookie"] = cookie end
  if file == "-" then
    requests[1] = wrk.format(method, nil, nil, body)
    return
  end
  for token in io.lines(file) do
    wrk.headers["Authorization"] = "Bearer " .. token
    requests[#requests + 1] = wrk.format(method, nil, nil, body)
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    'bench {"requests":%d,"duration_us":%d,"bytes":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
