<?php
// Writes down every request as PHP has it: all of $_SERVER.
$body = file_get_contents("php://input");
$names = [];
foreach ($_SERVER as $name => $value) {
    if (is_string($value)) {
        $names[] = [(string)$name, mb_convert($value)];
    }
}
function mb_convert(string $value): string {
    return preg_match("//u", $value) ? $value : bin2hex($value);
}
$line = [
    "at" => "end",
    "method" => $_SERVER["REQUEST_METHOD"],
    "target" => $_SERVER["REQUEST_URI"],
    "length" => strlen($body),
    "sha256" => hash("sha256", $body),
    "names" => $names,
    "whole" => true,
];
file_put_contents(getenv("REQUESTS_LOG"), json_encode($line) . "\n", FILE_APPEND);
header("Content-Type: text/plain");
$answer = $_SERVER["REQUEST_METHOD"] . " " . $_SERVER["REQUEST_URI"] . " HTTP/1.1";
header("Content-Length: " . strlen($answer));
if ($_SERVER["REQUEST_METHOD"] !== "HEAD") {
    echo $answer;
}
